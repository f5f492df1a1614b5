package cloudformation

import (
	"fmt"
	"strings"
)

// sampleRef is what Ref gives of a resource when nobody says: its ARN where that is
// what AWS gives, a name otherwise.
func (e *evaluation) sampleRef(id, kind string) string {
	switch kind {
	case "AWS::SecretsManager::Secret":
		return e.arn("secretsmanager", "secret:"+id+"-AbCdEf")
	case "AWS::SNS::Topic":
		return e.arn("sns", e.stackName()+"-"+id)
	case "AWS::CertificateManager::Certificate":
		return e.arn("acm", "certificate/"+id)
	case "AWS::CloudFormation::Stack":
		return e.arn("cloudformation", "stack/"+e.stackName()+"-"+id+"/00000000-0000-0000-0000-000000000000")
	case "AWS::Lambda::Alias", "AWS::Lambda::Version":
		return e.arn("lambda", "function:"+e.stackName()+"-"+id+":1")
	case "AWS::Serverless::HttpApi", "AWS::ApiGatewayV2::Api":
		return "api1234567"
	}
	return e.stackName() + "-" + id
}

// sampleAttribute is what GetAtt gives of a resource when nobody says.
func (e *evaluation) sampleAttribute(id, kind, attribute string) (string, error) {
	name := e.stackName() + "-" + id
	switch kind + " " + attribute {
	case "AWS::DynamoDB::Table Arn":
		return e.arn("dynamodb", "table/"+name), nil
	case "AWS::SecretsManager::Secret Id":
		return e.sampleRef(id, kind), nil
	case "AWS::Logs::LogGroup Arn":
		return e.arn("logs", "log-group:"+name+":*"), nil
	case "AWS::IAM::Role Arn":
		return fmt.Sprintf("arn:%s:iam::%s:role/%s", e.pseudo["AWS::Partition"], e.pseudo["AWS::AccountId"], name), nil
	case "AWS::Serverless::Function Arn", "AWS::Lambda::Function Arn":
		return e.arn("lambda", "function:"+name), nil
	case "AWS::SNS::Topic TopicArn", "AWS::SNS::Topic Arn":
		return e.arn("sns", name), nil
	case "AWS::SNS::Topic TopicName":
		return name, nil
	case "AWS::CloudWatch::Alarm Arn":
		return e.arn("cloudwatch", "alarm:"+name), nil
	case "AWS::Serverless::HttpApi ApiEndpoint", "AWS::ApiGatewayV2::Api ApiEndpoint":
		return fmt.Sprintf("https://%s.execute-api.%s.%s", e.sampleRef(id, kind), e.pseudo["AWS::Region"], e.pseudo["AWS::URLSuffix"]), nil
	case "AWS::Serverless::HttpApi ApiId", "AWS::ApiGatewayV2::Api ApiId":
		return e.sampleRef(id, kind), nil
	case "AWS::ApiGatewayV2::DomainName RegionalDomainName":
		return fmt.Sprintf("d-%s.execute-api.%s.%s", strings.ToLower(id), e.pseudo["AWS::Region"], e.pseudo["AWS::URLSuffix"]), nil
	case "AWS::ApiGatewayV2::DomainName RegionalHostedZoneId":
		return "Z00000000000", nil
	case "AWS::EC2::EIP AllocationId":
		return "eipalloc-" + id, nil
	case "AWS::EC2::EIP PublicIp":
		return "192.0.2.1", nil
	case "AWS::EC2::SecurityGroup GroupId":
		return "sg-" + id, nil
	case "AWS::EC2::Subnet SubnetId":
		return "subnet-" + id, nil
	case "AWS::EC2::VPC VpcId":
		return "vpc-" + id, nil
	}
	if output, ok := strings.CutPrefix(attribute, "Outputs."); ok && kind == "AWS::CloudFormation::Stack" {
		return id + "-" + output, nil
	}
	return "", fmt.Errorf("no sample of attribute %s of %s", attribute, kind)
}

func (e *evaluation) arn(service, resource string) string {
	return strings.Join([]string{"arn", e.pseudo["AWS::Partition"], service, e.pseudo["AWS::Region"], e.pseudo["AWS::AccountId"], resource}, ":")
}

func (e *evaluation) stackName() string { return e.pseudo["AWS::StackName"] }
