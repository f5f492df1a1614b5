package awsstack_test

import (
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
)

func TestSpike(t *testing.T) {
	a := awsstack.New(t, awsstack.Config{Root: "../..", EnforceIAM: true})
	began := time.Now()
	s, address := a.Deploy(t, "spike", nil)
	t.Log(time.Since(began), address.URL, s.Outputs(t), s.Resources(t))
	awsstack.Until(t, "the first rotation", func() bool {
		_, value := s.Secret(t, s.Resources(t)["SigningKeys"])
		return len(value) > 10
	})
	t.Log(time.Since(began))
	s.Update(t, map[string]string{"EgressMode": "nat", "NatGateways": "2"})
	t.Log(time.Since(began))
	t.Log(s.LogGroups(t), s.Logs(t, "rotatekeys"), s.Outputs(t))
}
