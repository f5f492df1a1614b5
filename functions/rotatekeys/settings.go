package rotatekeys

import "github.com/wecom-signin/wecom-signin/shared/settings"

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{settings.DirectoryTable, settings.SigningKeysSecret, settings.ServiceName}
}
