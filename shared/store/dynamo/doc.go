// Package dynamo is the engine of the store in DynamoDB. It has three tables: the directory
// and the audit, which are backed up and outlive the stack, and the transient table, whose
// records expire.
//
// Duty: every promise of store.Engine. Uniqueness (phone, identity, automatic login) is a
// transaction, and so is a write with the audit line that tells of it; everything else is
// one conditional operation on one item, and two for a grant and its lineage, at once.
// Nothing scans. A list is a partition with one item per entry. Reads are consistent, except
// those of events and of a user's lineages, which three secondary indexes of the transient
// table find, and those of the audit by user, actor, application, authenticator or type,
// which five of the audit table find. These may lag, so that a sign-in needs no further
// write.
//
// Directory table, keys pk and sk:
//
//	authenticator    NAME            the configuration, with the time of the last event beside it
//	auto-login       auto-login      the authenticator that has it
//	user#ID          user            the user
//	users            ID              an entry of the list
//	user-names       NAME NUL ID     an entry in the order of folded names
//	phone#+86…       phone           the user of the phone
//	identity#CORP#ID identity        the user of the member (userid folded)
//	identity#CORP#ID gone            the user who was the member, and is gone
//	domain-file      FILENAME
//	signing-keys     public          the JWKS document
//	application      ID              the configuration, with the times of last use beside it
//	consent#USER     APPLICATION     what the user agreed to
//
// Transient table, key pk, TTL attribute ttl (Unix seconds, later than the end in the
// record, which counts):
//
//	outcome#KEY      the result of an attempt, with its sign-in event
//	first-sign-in#CORP#ID  why a member's first sign-in was refused
//	attempt#KEY      the sign-in event of an attempt without a result
//	token#KEY        what one caller fetches for all, with lease and refusal: an app's access
//	                 token, sealed; its departments; who has a tag; a corp's lookups in vain;
//	                 logout/USER: the lease on telling applications of a member
//	grant#ID         a grant, with what changes of it beside the record
//	lineage#ID       a lineage
//	application-event#RANDOM  how a sign-in to an application went
//
// Audit table, keys pk and sk, TTL attribute ttl:
//
//	HOUR#SHARD       ID              a line
//
// Boundary: it gets a client; regions, roles and endpoints are the caller's.
package dynamo
