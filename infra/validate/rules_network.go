package main

import "slices"

// checkNetwork wants a network that nothing can come into: functions stand where no
// route leads to the internet but through a NAT gateway.
func checkNetwork(s stack) []string {
	var f faults
	t, there := s.nested["Network"]
	if !there {
		f.add("the nested stack Network is missing")
		return f
	}
	sorted(t.resources("AWS::EC2::SecurityGroup"), func(id string, r resource) {
		if r.properties["SecurityGroupIngress"] != nil {
			f.add("%s: SecurityGroupIngress lets something in; nothing calls these functions through the network", id)
		}
	})
	sorted(t.resources("AWS::EC2::Subnet"), func(id string, r resource) {
		if public := r.properties["MapPublicIpOnLaunch"]; public != nil && public != "false" {
			f.add("%s: MapPublicIpOnLaunch gives addresses to whatever is started there", id)
		}
	})
	standing := map[string]bool{} // subnets
	sorted(t.resources("AWS::EC2::NatGateway"), func(id string, r resource) {
		subnet, _ := text(r.properties["SubnetId"])
		if standing[subnet] || slices.Contains(privateSubnets(t), subnet) {
			f.add("%s: NAT gateways must stand in public subnets of different zones", id)
		}
		standing[subnet] = true
	})
	tables := map[string][]string{} // by subnet
	for _, r := range t.resources("AWS::EC2::SubnetRouteTableAssociation") {
		subnet, _ := text(r.properties["SubnetId"])
		table, _ := text(r.properties["RouteTableId"])
		tables[subnet] = append(tables[subnet], table)
	}
	for _, subnet := range privateSubnets(t) {
		if len(tables[subnet]) != 1 {
			f.add("%s has %d route tables, not one of its own; the network's main one would do nothing", subnet, len(tables[subnet]))
		}
		ways := 0
		sorted(t.resources("AWS::EC2::Route"), func(id string, r resource) {
			table, _ := text(r.properties["RouteTableId"])
			if !slices.Contains(tables[subnet], table) {
				return
			}
			ways++
			sorted(r.properties, func(name string, _ any) {
				if !slices.Contains([]string{"RouteTableId", "DestinationCidrBlock", "NatGatewayId"}, name) {
					f.add("%s: %s leads from %s elsewhere than to a NAT gateway", id, name, subnet)
				}
			})
		})
		if ways != 1 {
			f.add("%s has %d ways out, not one", subnet, ways)
		}
	}
	if len(privateSubnets(t)) != 2 {
		f.add("%s: output Subnets must join two subnets by !Ref", t.name)
	}
	return f
}

// privateSubnets are those in which functions stand: what the stack gives to them.
func privateSubnets(t written) []string {
	joined := list(at(t.section("Outputs")["Subnets"], "Value", "Fn::Join"))
	if len(joined) != 2 {
		return nil
	}
	var subnets []string
	for _, subnet := range list(joined[1]) {
		name, _ := text(subnet)
		subnets = append(subnets, name)
	}
	return subnets
}
