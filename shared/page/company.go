package page

import (
	"errors"
	"html/template"
	"net/url"
	"regexp"
)

// What a company may add to the page: its name and its logo.

// Config is what New needs. The zero value gives the page of the service itself.
type Config struct {
	// CompanyName is shown above the heading and in the title, or empty.
	CompanyName string
	// CompanyLogo is a picture instead of the service's mark: an https address, a data URL
	// of a PNG, JPEG, WebP or GIF, or empty.
	CompanyLogo string
}

// logo is a company's picture and the origin from which a browser loads it.
type logo struct {
	Address template.URL
	// Source is the origin that the Content-Security-Policy must name, or empty for a
	// picture in the page itself.
	Source string
}

var (
	// dataPicture excludes SVG, which can hold scripts.
	dataPicture = regexp.MustCompile(`^data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}$`)
	// policyHost is a host, with or without a port, that cannot mean anything else in a
	// policy.
	policyHost = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?$`)
)

// errLogo does not contain the address, which may be long.
var errLogo = errors.New("the company's logo is neither an https address nor a data URL of a PNG, JPEG, WebP or GIF")

// readLogo checks the setting once more, because its result becomes part of the policy
// that protects the page.
func readLogo(address string) (*logo, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // no logo is the usual case, not an error
	}
	if dataPicture.MatchString(address) {
		return &logo{Address: template.URL(address)}, nil //nolint:gosec // matched just now
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || !policyHost.MatchString(u.Host) {
		return nil, errLogo
	}
	return &logo{Address: template.URL(u.String()), Source: "https://" + u.Host}, nil //nolint:gosec // https, checked just now
}
