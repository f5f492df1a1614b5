// Command deploy guides an operator through the first deployment to AWS, and through
// every later one: `make deploy`.
//
//	go run ./infra/deploy [-yes] [STACK]
//
// Duty: ask what template.yaml lets an operator choose, with reasons and prices; see
// that AWS answers and whose account it is; keep the answers in deployments/STACK.toml,
// which is a configuration file of SAM; build and deploy with `sam`, showing each
// command as a person would type it; and say what to do next in WeCom's console, with
// the values. With -yes it asks nothing and uses what was kept.
//
// Boundary: it changes nothing on AWS itself. What a parameter may be is read from
// template.yaml (package cloudformation), and how SAM is to be called from
// samconfig.toml. The admin key stays in Secrets Manager: it says how to read it.
//
// Invariants: nothing is built or deployed with answers that the template refuses. The
// kept file holds no secret, every parameter is in it (on an update SAM would keep the
// former value of one that is not), and values that SAM would read otherwise than they
// were meant are refused. An input that ends is an error. What sam prints is shown as
// it is, and its exit status is kept.
package main
