// Package dynamo keeps the store in two DynamoDB tables, by lifetime: the directory,
// which is backed up and outlives the stack, and the transient table, whose records
// end by themselves.
//
// Duty: every promise of store.Engine. Uniqueness (phone, identity, automatic login)
// and the start of a session are transactions; everything else is one operation on
// one item, with a condition. There is no scan. What is listed has an item of its own
// in a partition of its kind, and every read is consistent, with one exception: recent
// attempts are found by two secondary indexes of the transient table, which may lag,
// so that a sign-in writes nothing more for them.
//
// Directory table, keys pk and sk:
//
//	authenticator    NAME            the configuration
//	auto-login       auto-login      which authenticator has it
//	user#ID          user            the person
//	users            ID              an entry of the list
//	user-names       NAME NUL ID     its place in the order of folded names
//	phone#+86…       phone           whose phone it is
//	identity#CORP#ID identity        who the member is (userid folded)
//	domain-file      FILENAME
//	signing-keys     public          the JWKS document
//
// Transient table, key pk, TTL attribute ttl (Unix seconds, later than the record's
// own end, which is what counts):
//
//	outcome#KEY      what an attempt came to, and what administrators are shown of it
//	attempt#KEY      what they are shown of one without an outcome
//	token#KEY        an app's access token, sealed, with lease and refusal
//
// Boundary: it gets a client and knows nothing of regions, roles or endpoints.
package dynamo
