// Package secrettest is the suite that every engine of secret.Store must pass.
//
// Boundary: what only one engine has (files, keys, AWS errors) is tested beside
// that engine.
package secrettest
