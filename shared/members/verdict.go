package members

// Verdict is what a check found.
type Verdict string

// The verdicts.
const (
	// Active: the member is there, and what WeCom told is stored.
	Active Verdict = "active"
	// NotAllowed: the member is there, but Allow of the authenticator does not match: the
	// sessions by this authenticator have ended.
	NotAllowed Verdict = "not_allowed"
	// Disabled: WeCom says status 2. The sessions and grants through this corp have ended.
	Disabled Verdict = "disabled"
	// Gone: WeCom does not know the member any more, as far as the app that bound the
	// identity may see. The sessions and grants through this corp have ended.
	Gone Verdict = "gone"
	// Unknown: WeCom said nothing about the member. Nothing has changed, the check is due.
	Unknown Verdict = "unknown"
)
