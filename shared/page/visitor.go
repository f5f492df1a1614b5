package page

// ClientKind is the kind of browser a person sits at, as far as it changes what helps.
// It decides about words and never about access.
type ClientKind string

// The kinds of browser.
const (
	// InWeCom is WeCom's own browser, on a phone or a computer.
	InWeCom ClientKind = "wecom"
	// OnPhone is any other browser of a phone or tablet: it cannot scan a code that
	// it shows itself.
	OnPhone ClientKind = "phone"
	// OnDesktop is any other browser of a computer.
	OnDesktop ClientKind = "desktop"
)
