package page

// ClientKind is the kind of browser, as far as it changes the instructions. It decides
// about words, never about access.
type ClientKind string

// The kinds of browser.
const (
	// InWeCom is WeCom's own browser, on a phone or a computer.
	InWeCom ClientKind = "wecom"
	// OnPhone is any other browser of a phone or tablet, which cannot scan a code on its
	// own screen.
	OnPhone ClientKind = "phone"
	// OnDesktop is any other browser of a computer.
	OnDesktop ClientKind = "desktop"
)
