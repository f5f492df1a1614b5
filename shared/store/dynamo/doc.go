// Package dynamo keeps the store in two DynamoDB tables, by lifetime: the directory,
// which is backed up and outlives the stack, and the transient table, whose records
// end by themselves.
//
// Duty: every promise of store.Engine. Uniqueness (phone, identity, automatic login)
// and the start of a session are transactions; everything else is one operation on
// one item, with a condition. Every read is consistent. There is no scan and no
// secondary index: what is listed has an item of its own in a partition of its kind.
//
// Directory table, keys pk and sk:
//
//	authenticator    NAME            the configuration
//	auto-login       auto-login      which authenticator has it
//	user#ID          user            the person
//	users            ID              an entry of the list
//	phone#+86…       phone           whose phone it is
//	identity#CORP#ID identity        who the member is (userid folded)
//	domain-file      FILENAME
//	signing-keys     public          the JWKS document
//
// Transient table, key pk, TTL attribute ttl (Unix seconds, later than the record's
// own end, which is what counts):
//
//	outcome#KEY      what an attempt came to
//	token#KEY        an app's access token, sealed, with lease and refusal
//
// Boundary: it gets a client and knows nothing of regions, roles or endpoints.
package dynamo
