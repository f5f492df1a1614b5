package page

import (
	"errors"
	"html/template"
	"net/url"
	"regexp"
)

// What a company may put on the page: its name and its logo.

// Config is what New needs. The zero value gives the page of the service itself.
type Config struct {
	// CompanyName is shown above the heading and in the title, or empty.
	CompanyName string
	// CompanyLogo is a picture in place of the service's mark: an https address, a
	// data URL of a PNG, JPEG, WebP or GIF, or empty.
	CompanyLogo string
}

// logo is a company's picture, and from where a browser may load it.
type logo struct {
	Address template.URL
	// Source is what the Content-Security-Policy has to name: an origin, or nothing
	// for a picture that lies in the page.
	Source string
}

var (
	// dataPicture leaves out SVG, which can hold scripts.
	dataPicture = regexp.MustCompile(`^data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}$`)
	// policyHost is a host, with or without a port, that can stand in a policy and
	// mean nothing else there.
	policyHost = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?$`)
)

// errLogo says nothing of the address itself, which may be long.
var errLogo = errors.New("the company's logo is neither an https address nor a data URL of a PNG, JPEG, WebP or GIF")

// readLogo checks a setting once more: what it lets through becomes part of the
// policy that protects the page.
func readLogo(address string) (*logo, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // no logo is the usual case and no fault
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
