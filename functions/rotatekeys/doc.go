// Package rotatekeys is the function that Secrets Manager calls to rotate the keys
// that sign access tokens.
//
// Duty: the four steps of a rotation (createSecret, setSecret, testSecret,
// finishSecret), the first key set of a secret that has none yet, and the publication
// of the public keys in the directory, where the issuer and the authorizer read them.
//
// Boundary: package keys defines a key set and how one follows another; the template
// schedules rotations. The time between two rotations must be much longer than keys
// are cached anywhere: days, not minutes.
//
// Invariants: a key is published before a function can read the set that holds it;
// every step may be repeated, also after an interruption, and a rotation makes one new
// key however often its steps run.
package rotatekeys
