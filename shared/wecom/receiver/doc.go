// Package receiver reads what WeCom sends to a receive-message URL: the check of the URL,
// and pushed events (paths 90930, 90238 and 90968).
//
// Duty: take the query and the envelope apart, verify the signature, decrypt, and give what
// a message says by the names of its elements. It also makes the token and the key that an
// administrator enters in WeCom's console.
//
// Boundary: it knows no HTTP and no clock, and believes no event: what one means, and how old
// it may be, is the function events'.
//
// Invariants:
//   - the signature is over the text as WeCom encrypted it, and compared in constant time;
//     nothing is decrypted before it holds;
//   - a bare + of a query means +: base64 has it, and form decoding would make it a space;
//   - lengths are checked before anything is cut; the padding is to 32 bytes, not to the 16
//     of AES;
//   - the receiveid must be the corp's: another corp with the same key pushes nothing here;
//   - the check of a URL gives no message away that was pushed;
//   - XML is read by name and in any order, once each, without a doctype and without
//     entities;
//   - no error has a part of what was sent.
package receiver
