// Package rotatekeys is the function that Secrets Manager calls to rotate the keys
// that sign access tokens.
//
// Duty: the four steps of a rotation (createSecret, setSecret, testSecret,
// finishSecret); the first set of keys in a secret that has none yet; the
// publication of the public keys in the directory, where the issuer and the
// authorizer find them.
//
// Boundary: what a key set is and how one follows another is package keys'; when
// to rotate is the schedule's in the template. The time between two rotations must
// be much longer than keys are cached anywhere: days, not minutes.
//
// Invariants: every key is published before a function can read the set it is in;
// every step may be repeated, also after it was interrupted, and a rotation makes
// one new key however often its steps run.
package rotatekeys
