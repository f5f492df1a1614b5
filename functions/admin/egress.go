package admin

import (
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
)

// egressView says which addresses an administrator lists in WeCom's console.
type egressView struct {
	Addresses []string     `json:"addresses"`
	Source    egressSource `json:"source"`
}

type egressSource string

const (
	// egressSetting: the operator named them, and they are there to stay.
	egressSetting egressSource = "setting"
	// egressWeCom: WeCom saw the address just now. Nothing promises that it stays.
	egressWeCom egressSource = "wecom"
	// egressUnknown: nobody could tell.
	egressUnknown egressSource = "unknown"
)

// egress tells where the service's calls to WeCom come from. That it cannot be found
// out is an answer too: the page it stands on is about more than this.
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
		apigw.LogField(ctx, "egress", err.Error()) // without any text of WeCom's
	}
	return apigw.WriteJSON(w, http.StatusOK, view)
}
