package version

// Version is the version of the service.
const Version = "0.5.0"

// Header is the name of the HTTP header that tells it.
const Header = "WeCom-Signin-Version"
