package admin

import (
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
)

// egressView has the addresses to trust in WeCom's console.
type egressView struct {
	Addresses []string     `json:"addresses"`
	Source    egressSource `json:"source"`
}

type egressSource string

const (
	// egressSetting: the operator has set them; they are fixed.
	egressSetting egressSource = "setting"
	// egressWeCom: WeCom saw the address just now. It may change.
	egressWeCom egressSource = "wecom"
	// egressUnknown: WeCom did not say.
	egressUnknown egressSource = "unknown"
)

// egress tells from which addresses the service calls WeCom. "Unknown" is an answer, not
// a failure, because the page that shows it is about more than this.
func (h *handler) egress(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view := egressView{Addresses: []string{}, Source: egressUnknown}
	if len(h.EgressAddresses) > 0 {
		view.Source = egressSetting
		for _, address := range h.EgressAddresses {
			view.Addresses = append(view.Addresses, address.String())
		}
		return apigw.WriteJSON(w, http.StatusOK, view)
	}
	address, err := h.WeCom.CallerAddress(ctx)
	if err == nil {
		view.Source, view.Addresses = egressWeCom, append(view.Addresses, address.String())
	} else {
		apigw.LogField(ctx, "egress", err.Error()) // it holds no text of WeCom's
	}
	return apigw.WriteJSON(w, http.StatusOK, view)
}
