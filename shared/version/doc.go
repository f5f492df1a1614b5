// Package version is the version of the service, in one place.
//
// Duty: Version follows semantic versioning (https://semver.org). It covers what others
// depend on: the routes, the tokens' claims, the settings, and the template's parameters
// and outputs. Before 1.0.0 a change to any of them increases the middle number; after
// it, the first.
//
// It is compiled into every program and shown in each log event (member version), in the
// header WeCom-Signin-Version of GET /signin and of the discovery document, and at the
// foot of the sign-in page. CHANGELOG.md says what changed.
package version
