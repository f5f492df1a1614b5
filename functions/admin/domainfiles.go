package admin

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

type domainFileView struct {
	Filename  string `json:"filename"`
	URL       string `json:"url"` // where WeCom reads it
	CreatedAt string `json:"createdAt"`
}

func (h *handler) listDomainFiles(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	page, _, err := readPage(r, maxLimit)
	if err != nil {
		return err
	}
	items, next, err := h.Directory.DomainFiles(ctx, page)
	if err != nil {
		return listError(fmt.Errorf("list domain files: %w", err))
	}
	publicURL := apigw.PublicURL(ctx)
	return writeList(w, items, next, func(f store.DomainFile) domainFileView {
		return domainFileView{f.Filename, publicURL + "/" + f.Filename, timestamp(f.CreatedAt)}
	})
}

// putDomainFile stores a file. Its name contains its content, so a body only proves that
// the administrator did not mix up two files.
func (h *handler) putDomainFile(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	filename := r.PathValue("filename")
	content, ok := store.DomainFileContent(filename)
	if !ok {
		return apierr.Invalid("filename", "The file's name must be WW_verify_, 16 letters or digits, and .txt.")
	}
	body, err := readBody(r, maxJSON)
	if err != nil {
		return err
	}
	if len(body) > 0 && string(body) != content {
		return apierr.Invalid("body", "The body must be empty or exactly the 16 characters in the file's name.")
	}
	apigw.LogField(ctx, "domainFile", filename)
	created := change{Change: changeCreated, Object: domainFileObject, ObjectID: filename, line: audit.DomainFileCreated}
	err = h.audited(ctx, created).PutDomainFile(ctx, store.DomainFile{Filename: filename, CreatedAt: h.Now().UTC()})
	recordChange(ctx, created, err)
	if err != nil {
		return fmt.Errorf("put domain file: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) deleteDomainFile(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	filename := r.PathValue("filename")
	if _, ok := store.DomainFileContent(filename); !ok {
		return noDomainFile()
	}
	apigw.LogField(ctx, "domainFile", filename)
	gone := change{Change: changeDeleted, Object: domainFileObject, ObjectID: filename, line: audit.DomainFileDeleted}
	err := h.audited(ctx, gone).DeleteDomainFile(ctx, filename)
	recordChange(ctx, gone, err)
	if errors.Is(err, store.ErrNotFound) {
		return noDomainFile()
	}
	if err != nil {
		return fmt.Errorf("delete domain file: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func noDomainFile() error {
	return &apierr.Error{Code: apierr.NotFound, Detail: "There is no domain file of this name."}
}
