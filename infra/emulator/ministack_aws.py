"""ministack 1.5.33 with its gaps closed that a deployment of template.yaml falls into.

The installed package is not edited: functions of it are replaced at run time. Each
patch names the behaviour of AWS that it restores. What is left is in doc.go.
"""

import asyncio
import contextvars
import functools
import importlib.metadata
import json
import os
import re
import shutil
import signal
import sys
import threading


def end_with_parent():
    """Ends functions, folder and emulator when standard input ends: with who started it,
    even when that was killed."""
    while os.read(0, 4096):
        pass
    shutil.rmtree(os.environ["EMULATOR_FOLDER"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=end_with_parent, daemon=True, name="parent").start()

PINNED = "1.5.33"
if (found := importlib.metadata.version("ministack")) != PINNED:
    sys.exit(f"the launcher is written for ministack {PINNED}; this is {found}")

from ministack.core import iam_actions, iam_evaluator, lambda_runtime  # noqa: E402
from ministack.core.arn import execute_api_arn  # noqa: E402
from ministack.core.responses import (  # noqa: E402
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    new_uuid,
    request_scope,
)
from ministack.services import apigateway, cloudformation, cloudwatch, dynamodb, ec2, iam, lambda_svc  # noqa: E402
from ministack.services import secretsmanager as secrets  # noqa: E402
from ministack.services.cloudformation import handlers, provisioners  # noqa: E402

RESOURCES = provisioners._RESOURCE_HANDLERS


def patch(holder, name):
    """Replaces a function; the new one is given the original first."""

    def install(replacement):
        original = holder[name] if isinstance(holder, dict) else getattr(holder, name)
        bound = functools.partial(replacement, original)
        if isinstance(holder, dict):
            holder[name] = bound
        else:
            setattr(holder, name, bound)
        return replacement

    return install


def truth(value):
    """A Boolean of a template may be text."""
    return value if isinstance(value, bool) else str(value).lower() == "true"


def checked(response):
    """Lets CloudFormation fail with what the service's own call said."""
    status, _, body = response
    if status >= 400:
        said = json.loads(body)
        raise ValueError(said.get("message") or said.get("Message") or str(said))
    return json.loads(body) if body else {}


# --- API Gateway: an HTTP API is made from its OpenAPI body, and nothing of it is ignored.


def import_body(api_id, props):
    body = props["Body"]
    for part in ("x-amazon-apigateway-cors", "x-amazon-apigateway-policy"):
        if part in body:
            raise ValueError(f"the emulator does not import {part}")
    for server in body.get("servers") or []:
        # SAM writes such a server, and a warning of the import is a failure for who asks.
        if "url" not in server and truth(props.get("FailOnWarnings", False)):
            raise ValueError("Warnings found during import: Parse issue: attribute .servers.url is missing")
        given = server.get("x-amazon-apigateway-endpoint-configuration") or {}
        disabled = truth(given.get("disableExecuteApiEndpoint", False))
        apigateway._apis[api_id]["disableExecuteApiEndpoint"] = disabled
    authorizers, ids = {}, {}
    known = {a["name"]: i for i, a in (apigateway._authorizers.get(api_id) or {}).items()}
    for name, scheme in ((body.get("components") or {}).get("securitySchemes") or {}).items():
        given = scheme["x-amazon-apigateway-authorizer"]
        if given.get("type") != "request":
            raise ValueError(f"the emulator does not import the authorizer {name} of type {given.get('type')}")
        source = given.get("identitySource") or []
        ids[name] = known.get(name) or new_uuid()[:8]
        authorizers[ids[name]] = {
            "authorizerId": ids[name],
            "authorizerType": "REQUEST",
            "name": name,
            "identitySource": [s.strip() for s in source.split(",")] if isinstance(source, str) else source,
            "authorizerUri": given["authorizerUri"],
            "authorizerPayloadFormatVersion": str(given.get("authorizerPayloadFormatVersion", "2.0")),
            "authorizerResultTtlInSeconds": given.get("authorizerResultTtlInSeconds", 300 if source else 0),
            "enableSimpleResponses": given.get("enableSimpleResponses", False),
        }
    routes, integrations = {}, {}
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            given = operation["x-amazon-apigateway-integration"]
            if str(given.get("payloadFormatVersion")) != "2.0" or given.get("type") != "aws_proxy":
                raise ValueError(f"{method} {path}: the emulator imports functions with payload format 2.0 only")
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            integration, route = new_uuid()[:8], new_uuid()[:8]
            integrations[integration] = {
                "integrationId": integration,
                "integrationType": "AWS_PROXY",
                "integrationUri": given["uri"],
                "integrationMethod": "POST",
                "payloadFormatVersion": "2.0",
                "timeoutInMillis": given.get("timeoutInMillis", 30000),
                "connectionType": "INTERNET",
                "requestParameters": {},
                "responseParameters": {},
            }
            routes[route] = {
                "routeId": route,
                "routeKey": "$default" if path.strip("/") == "$default" else f"{verb} {path}",
                "target": f"integrations/{integration}",
                "authorizationType": "NONE",
                "authorizerId": None,
                "authorizationScopes": [],
                "apiKeyRequired": False,
            }
            for requirement in operation.get("security") or []:
                for name in requirement:
                    if name == "NONE":
                        continue
                    routes[route].update(authorizationType="CUSTOM", authorizerId=ids[name])
    # One assignment each: a request never sees half an import.
    apigateway._authorizers[api_id] = authorizers
    apigateway._integrations[api_id] = integrations
    apigateway._routes[api_id] = routes


@patch(RESOURCES["AWS::ApiGatewayV2::Api"], "create")
def create_api(original, logical_id, props, stack):
    api_id, attributes = original(logical_id, props, stack)
    if props.get("Body"):
        try:
            import_body(api_id, props)
        except Exception:
            apigateway._apis.pop(api_id, None)
            raise
    return api_id, attributes


@patch(RESOURCES["AWS::ApiGatewayV2::Api"], "update")
def update_api(original, physical_id, old, new, stack, logical_id=None):
    result = original(physical_id, old, new, stack, logical_id)
    if new.get("Body"):
        import_body(result[0], new)
    return result


# --- API Gateway: it needs an AWS::Lambda::Permission for its own ARN, cookies are a field of
# the event, a proxy's headers are there, and a function's failure is a 500 that says nothing.


def called(event):
    """The function that a route or its authorizer names, and the ARN that calls it."""
    context = event["requestContext"]
    api, key = context["apiId"], context["routeKey"]
    route = next(r for r in apigateway._routes[api].values() if r["routeKey"] == key)
    if event.get("type") == "REQUEST":
        uri = apigateway._authorizers[api][route["authorizerId"]]["authorizerUri"]
        source = f"arn:aws:execute-api:{get_region()}:{get_account_id()}:{api}/authorizers/{route['authorizerId']}"
    else:
        uri = apigateway._integrations[api][route["target"].split("/")[1]]["integrationUri"]
        verb, _, path = key.partition(" ")
        source = execute_api_arn(
            get_region(), get_account_id(), api, context["stage"], "*" if verb == "ANY" else verb, path
        )
        if not path:
            source = f"arn:aws:execute-api:{get_region()}:{get_account_id()}:{api}/{context['stage']}/$default"
    return apigateway._extract_lambda_ref_from_integration_uri(uri), source


def service_may_invoke(service, function_arn, source):
    name = lambda_svc._lambda_function_name_and_qualifier_from_arn(function_arn)[0]
    function = lambda_svc._functions.get(name)
    context = iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=get_account_id(),
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=get_region(),
        service_context={"aws:sourcearn": source, "aws:sourceaccount": get_account_id()},
    )
    policy = function and function.get("policy")
    return iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow"


def complete(event):
    headers = event["headers"]
    if cookies := headers.pop("cookie", ""):
        event["cookies"] = [c.strip() for c in cookies.split(";") if c.strip()]
    if not event.get("pathParameters"):
        event.pop("pathParameters", None)
    headers.setdefault("x-forwarded-for", event["requestContext"]["http"]["sourceIp"])
    headers.setdefault("x-forwarded-proto", "https")
    headers.setdefault("x-forwarded-port", "443")


FAILED = {
    "statusCode": 500,
    "headers": {"content-type": "application/json"},
    "body": '{"message":"Internal Server Error"}',
}


@patch(lambda_svc, "_execute_function_with_config_scope")
def execute(original, record, event):
    if not (isinstance(event, dict) and (event.get("requestContext") or {}).get("apiId")):
        return original(record, event)
    function, source = called(event)
    if service_may_invoke("apigateway.amazonaws.com", function, source):
        complete(event)
        result = original(record, event)
    else:
        apigateway.logger.error("no AWS::Lambda::Permission lets API Gateway invoke %s from %s", function, source)
        result = {"error": True, "body": "no permission"}
    if event.get("type") == "REQUEST" or not result.get("error") or result.get("throttle"):
        return result
    apigateway.logger.error("%s failed: %.300s", function, result.get("body"))
    return {**result, "error": False, "body": json.dumps(FAILED)}


# --- Lambda: the format that LoggingConfig names is in the function's environment.


@patch(lambda_svc, "_provided_worker_env")
def environment(original, config, folder, port):
    logging = config.get("LoggingConfig") or {}
    return {**original(config, folder, port), "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text")}


# --- Lambda: a function of a template is connected to the network that it names, and so is
# every version that was published meanwhile. What one is connected to cannot be deleted.


def connect(name, props):
    given, config = props.get("VpcConfig") or {}, lambda_svc._functions[name]["config"]
    known = {"SubnetIds": ec2._subnets, "SecurityGroupIds": ec2._security_groups}
    for kind, there in known.items():
        for missing in set(given.get(kind, [])) - set(there):
            raise ValueError(f"{name}: there is no {missing}")
    if config.get("VpcConfig") != (connection := lambda_svc._vpc_config_with_id(given or None)):
        config.update(VpcConfig=connection, RevisionId=new_uuid())


@patch(RESOURCES["AWS::Lambda::Function"], "create")
def create_function(original, logical_id, props, stack):
    name, attributes = original(logical_id, props, stack)
    connect(name, props)
    return name, attributes


@patch(RESOURCES["AWS::Lambda::Function"], "update")
def update_function(original, physical_id, old, new, stack, logical_id=None):
    result = original(physical_id, old, new, stack, logical_id)
    connect(result[0], new)
    return result


def unless_connected(kind):
    def delete(original, physical_id, props):
        for function in lambda_svc._functions.values():
            for record in [function, *function["versions"].values()]:
                if physical_id in record["config"].get("VpcConfig", {}).get(kind, []):
                    user = record["config"]["FunctionArn"]
                    raise ValueError(f"{physical_id} has a dependent object: {user}")
        return original(physical_id, props)

    return delete


patch(RESOURCES["AWS::EC2::Subnet"], "delete")(unless_connected("SubnetIds"))
patch(RESOURCES["AWS::EC2::SecurityGroup"], "delete")(unless_connected("SecurityGroupIds"))


# --- CloudWatch: metrics in log lines (embedded metric format) are taken out of them.


@patch(lambda_svc, "_emit_lambda_logs")
def emit(original, function, request_id, text, *rest, **named):
    original(function, request_id, text, *rest, **named)
    for line in (text or "").splitlines():
        if '"_aws"' not in line:
            continue
        record = json.loads(line)
        for given in record["_aws"]["CloudWatchMetrics"]:
            for metric in given["Metrics"]:
                values = record[metric["Name"]]
                for names in given["Dimensions"]:
                    dimensions = {name: record[name] for name in names}
                    for value in values if isinstance(values, list) else [values]:
                        unit = metric.get("Unit", "None")
                        cloudwatch.record_metric(given["Namespace"], metric["Name"], value, unit, dimensions)
        cloudwatch._evaluate_all_alarms()


# --- Lambda: an invocation that has begun when the function is changed comes to its end.


@patch(lambda_runtime, "kill_workers")
def retire(original, workers):
    for worker in workers:
        worker.retired = True
    original([worker for worker in workers if not worker.in_use])


@patch(lambda_svc, "release_worker")
def release(original, worker):
    original(worker)
    if getattr(worker, "retired", False):
        lambda_runtime.kill_workers([worker])


# --- IAM: dynamodb:LeadingKeys holds the partition keys of a request, of a transaction's item
# those of the item alone.

LEADING = contextvars.ContextVar("leading_keys")


def partition_keys(request):
    """The partition keys that a request or an item of a transaction names."""
    table = dynamodb._tables.get(request.get("TableName"))
    if not table:
        return []
    schema = table["KeySchema"]
    if request.get("IndexName"):
        indexes = table.get("GlobalSecondaryIndexes", []) + table.get("LocalSecondaryIndexes", [])
        schema = next((i["KeySchema"] for i in indexes if i["IndexName"] == request["IndexName"]), schema)
    name = next(k["AttributeName"] for k in schema if k["KeyType"] == "HASH")
    value = (request.get("Key") or request.get("Item") or {}).get(name)
    for left, right in re.findall(r"(#?\w+)\s*=\s*(:\w+)", request.get("KeyConditionExpression") or ""):
        if (request.get("ExpressionAttributeNames") or {}).get(left, left) == name:
            value = request["ExpressionAttributeValues"][right]
    return [next(iter(value.values()))] if value else []


@patch(iam_actions, "dynamodb_service_context")
def dynamodb_context(original, body):
    context, request = original(body), json.loads(body or b"{}")
    keys = partition_keys(request)
    for table, wanted in (request.get("RequestItems") or {}).items():
        items = wanted["Keys"] if isinstance(wanted, dict) else [next(iter(w.values())) for w in wanted]
        for item in items:
            keys += partition_keys({"TableName": table, "Key": item.get("Key") or item.get("Item") or item})
    LEADING.set(keys)
    # An absent key satisfies ForAllValues, as on AWS; a transaction's items fill theirs in.
    return {**context, "dynamodb:LeadingKeys": keys} if keys or "TransactItems" in request else context


class PerItem(list):
    """The checks of a transaction, each with the partition key of its own item."""

    def __init__(self, checks, items):
        super().__init__(checks)
        self.items = items

    def __iter__(self):
        for check, item in zip(super().__iter__(), self.items, strict=True):
            LEADING.get()[:] = partition_keys(item)
            yield check


@patch(iam_actions, "dynamodb_transaction_checks")
def transaction_checks(original, action, body, region, account):
    checks = original(action, body, region, account)
    if not checks:
        return checks
    return PerItem(checks, [next(iter(i.values())) for i in json.loads(body)["TransactItems"]])


# --- Secrets Manager: !Ref is the ARN, and a generated value follows all of GenerateSecretString.


def secret_name(physical_id):
    return secrets._resolve(physical_id)[0] or physical_id


@patch(RESOURCES["AWS::SecretsManager::Secret"], "create")
def create_secret_resource(original, logical_id, props, stack):
    if props.get("Name") in secrets._secrets:
        raise ValueError(f"the secret {props['Name']} already exists")
    _, attributes = original(logical_id, props, stack)
    return attributes["Arn"], attributes


@patch(RESOURCES["AWS::SecretsManager::Secret"], "update")
def update_secret_resource(original, physical_id, old, new, stack, logical_id=None):
    _, attributes = original(secret_name(physical_id), old, new, stack, logical_id)[:2]
    return attributes["Arn"], attributes


@patch(RESOURCES["AWS::SecretsManager::Secret"], "delete")
def delete_secret_resource(original, physical_id, props):
    original(secret_name(physical_id), props)


@patch(provisioners, "_sm_secret_string")
def generated_value(_, props):
    wanted = dict(props.get("GenerateSecretString") or {})
    if not wanted or props.get("SecretString"):
        return props.get("SecretString", "")
    template, key = wanted.pop("SecretStringTemplate", None), wanted.pop("GenerateStringKey", None)
    for name, value in wanted.items():
        if name == "PasswordLength":
            wanted[name] = int(value)
        elif name != "ExcludeCharacters":
            wanted[name] = truth(value)
    password = checked(secrets._get_random_password(wanted))["RandomPassword"]
    return password if template is None else json.dumps({**json.loads(template), key: password})


# --- Secrets Manager: the request's token names a version. Used again with the same value it
# changes nothing, with another value it is refused.


def same(version, data):
    return (version["SecretString"], version["SecretBinary"]) == (data.get("SecretString"), data.get("SecretBinary"))


def refuse(kind, message):
    return error_response_json(kind, message, 400)


@patch(secrets, "_create_secret")
def create_secret(original, data):
    name, token = data.get("Name", ""), data.get("ClientRequestToken")
    old = secrets._secrets.get(name)
    if old and old.get("DeletedDate"):
        return refuse(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        )
    if old and token in old["Versions"] and same(old["Versions"][token], data):
        return json_response({"ARN": old["ARN"], "Name": name, "VersionId": token})
    response = original(data)
    if response[0] >= 400 or not token:
        return response
    created, secret = json.loads(response[2]), secrets._secrets[name]
    secret["Versions"] = {token: secret["Versions"].pop(created["VersionId"])}
    return json_response({**created, "VersionId": token})


@patch(secrets, "_put_secret_value")
def put_secret_value(original, data):
    secret, token = secrets._resolve(data.get("SecretId"))[1], data.get("ClientRequestToken")
    version = secret and token and secret["Versions"].get(token)
    if version and has_value(version):
        if not same(version, data):
            return refuse("ResourceExistsException", "This ClientRequestToken names a version with another value.")
        stages = list(version["Stages"])
        return json_response(
            {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token, "VersionStages": stages}
        )
    if secret and "AWSPENDING" in (data.get("VersionStages") or []):
        take_pending(secret)
    return original(data)


@patch(secrets, "_get_secret_value")
def get_secret_value(original, data):
    response = original(data)
    if response[0] >= 400:
        return response
    said, stage = json.loads(response[2]), data.get("VersionStage")
    # A version without a value: one that a rotation is about to fill.
    if "SecretString" not in said and "SecretBinary" not in said:
        return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value.")
    if stage and data.get("VersionId") and stage not in said["VersionStages"]:
        return refuse("ResourceNotFoundException", f"Secrets Manager can't find the secret value for {stage}.")
    return response


def has_value(version):
    return version["SecretString"] is not None or version["SecretBinary"] is not None


def take_pending(secret):
    for version in secret["Versions"].values():
        if "AWSPENDING" in version["Stages"]:
            version["Stages"].remove("AWSPENDING")


# --- Secrets Manager: RotateSecret makes a pending version and runs the function's four steps.
# A rotation that did not end is taken up again, under the same version, before there is another.


@patch(secrets, "_rotate_secret")
def rotate_secret(_, data):
    secret = secrets._resolve(data.get("SecretId"))[1]
    if not secret:
        return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    if secret.get("DeletedDate"):
        return refuse("InvalidRequestException", "The secret was marked for deletion.")
    arn = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    if not arn:
        return refuse("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
    scope = {"account_id": get_account_id(), "region": get_region()}
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(arn, **scope)
    if not function or not service_may_invoke("secretsmanager.amazonaws.com", arn, secret["ARN"]):
        return refuse("AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function.")
    secret.update(RotationLambdaARN=arn, RotationEnabled=True)
    secret["RotationRules"] = data.get("RotationRules") or secret.get("RotationRules")
    answer = {"ARN": secret["ARN"], "Name": secret["Name"]}
    if not truth(data.get("RotateImmediately", True)):
        return json_response(answer)
    unfinished = [
        token
        for token, version in secret["Versions"].items()
        if "AWSPENDING" in version["Stages"] and "AWSCURRENT" not in version["Stages"]
    ]
    token = unfinished[0] if unfinished else data.get("ClientRequestToken") or new_uuid()
    if not unfinished:
        take_pending(secret)
        secret["Versions"][token] = {
            "SecretString": None,
            "SecretBinary": None,
            "CreatedDate": secret["CreatedDate"],
            "Stages": ["AWSPENDING"],
        }
    record = lambda_svc._execution_record_for_config(function, config)

    def run():
        with request_scope(scope["account_id"], scope["region"]):
            for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
                event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token}
                result = lambda_svc._execute_function_with_config_scope(record, event)
                if not result or result.get("error"):
                    secrets.logger.error("rotation step %s failed: %s", step, result and result.get("body"))
                    return
            secret["LastRotatedDate"] = secret["LastChangedDate"]

    threading.Thread(target=run, daemon=True, name="rotation").start()
    if unfinished:
        return refuse(
            "InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted."
        )
    return json_response({**answer, "VersionId": token})


def schedule_rotation(logical_id, props, stack):
    rules = dict(props.get("RotationRules") or {})
    if "AutomaticallyAfterDays" in rules:
        rules["AutomaticallyAfterDays"] = int(rules["AutomaticallyAfterDays"])
    checked(
        secrets._rotate_secret(
            {
                "SecretId": props["SecretId"],
                "RotationLambdaARN": props["RotationLambdaARN"],
                "RotationRules": rules,
                "RotateImmediately": props.get("RotateImmediatelyOnUpdate", True),
            }
        )
    )
    return props["SecretId"], {}


def end_rotation(physical_id, props):
    if secret := secrets._resolve(physical_id)[1]:
        secret.update(RotationEnabled=False, RotationLambdaARN=None, RotationRules=None)


RESOURCES["AWS::SecretsManager::RotationSchedule"] = {
    "create": schedule_rotation,
    "update": lambda physical_id, old, new, stack: schedule_rotation(None, new, stack),
    "delete": end_rotation,
}


# --- DynamoDB: a table of a template passes the checks of CreateTable, gets its TTL and its
# backups, and one under deletion protection is not deleted with its stack.


def table_settings(name, props):
    ttl = props.get("TimeToLiveSpecification")
    if ttl:
        given = {"TableName": name, "TimeToLiveSpecification": {**ttl, "Enabled": truth(ttl["Enabled"])}}
        checked(dynamodb._update_ttl(given))
    else:
        dynamodb._ttl_settings.pop(name, None)
    backups = props.get("PointInTimeRecoverySpecification") or {}
    dynamodb._pitr_settings[name] = truth(backups.get("PointInTimeRecoveryEnabled", False))


@patch(RESOURCES["AWS::DynamoDB::Table"], "create")
def create_table(original, logical_id, props, stack):
    name, attributes = original(logical_id, props, stack)
    table = dynamodb._tables.pop(name)
    fields = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode", "ProvisionedThroughput")
    asked = json.loads(json.dumps({field: props[field] for field in fields if field in props}))
    checked(dynamodb._create_table({"TableName": name, **asked}))
    dynamodb._tables[name] = table
    table_settings(name, props)
    return name, attributes


@patch(RESOURCES["AWS::DynamoDB::Table"], "update")
def update_table(original, physical_id, old, new, stack, logical_id=None):
    result = original(physical_id, old, new, stack, logical_id)
    table_settings(result[0], new)
    return result


@patch(RESOURCES["AWS::DynamoDB::Table"], "delete")
def delete_table(original, physical_id, props):
    if (dynamodb._tables.get(physical_id) or {}).get("DeletionProtectionEnabled"):
        raise ValueError("Resource cannot be deleted as it is currently protected against deletion.")
    original(physical_id, props)


# --- CloudFormation: the objects that a template names have S3's address, which is how
# `sam delete` finds them.


@patch(handlers._ACTION_HANDLERS, "GetTemplate")
def get_template(original, params):
    status, headers, body = original(params)
    here, there = os.environ["AWS_ENDPOINT_URL"], f"https://s3.{get_region()}.amazonaws.com"
    return status, headers, body.replace(f"{here}/".encode(), f"{there}/".encode())


# --- CloudFormation: what an update leaves unchanged in a nested stack keeps its attributes.


@patch(provisioners, "_update_resource")
def update_nested(original, kind, physical_id, old, new, stack, logical_id=None, attributes=None):
    if attributes is None:
        attributes = cloudformation._stacks[stack]["_resources"].get(logical_id, {}).get("Attributes")
    return original(kind, physical_id, old, new, stack, logical_id, attributes)


# --- Resources that are unknown to ministack. CodeDeploy is kept as records, after the checks
# that CodeDeploy makes: an alias takes its new version at once, without the shifting.


def named_resource(describe):
    """A resource that exists by its record in the stack alone."""

    def create(logical_id, props, stack):
        return describe(logical_id, props, stack)

    def update(physical_id, old, new, stack):
        describe(physical_id, new, stack)
        return physical_id, {}

    return {"create": create, "update": update, "delete": lambda physical_id, props: None}


def codedeploy_application(logical_id, props, stack):
    if props.get("ComputePlatform") != "Lambda":
        raise ValueError("the emulator knows CodeDeploy for Lambda only")
    return props.get("ApplicationName") or f"{stack}-{logical_id}", {}


def codedeploy_group(logical_id, props, stack):
    role = props["ServiceRoleArn"].rsplit("/", 1)[-1]
    if role not in iam._roles:
        raise ValueError(f"CodeDeploy cannot assume {props['ServiceRoleArn']}: there is no such role")
    watching = props.get("AlarmConfiguration") or {}
    if truth(watching.get("Enabled", False)) and not watching.get("Alarms"):
        raise ValueError("the alarm configuration is enabled, but the alarm list is empty")
    for alarm in watching.get("Alarms") or []:
        if alarm["Name"] not in cloudwatch._alarms:
            raise ValueError(f"there is no alarm {alarm['Name']}")
    return props.get("DeploymentGroupName") or f"{stack}-{logical_id}", {}


RESOURCES["AWS::CodeDeploy::Application"] = named_resource(codedeploy_application)
RESOURCES["AWS::CodeDeploy::DeploymentGroup"] = named_resource(codedeploy_group)


@patch(provisioners, "_cw_metric_alarm_record")
def alarm_record(original, name, props):
    """An alarm on an expression is checked as far as its names go, and watches nothing."""
    if not props.get("Metrics"):
        return original(name, props)
    queries = {q["Id"]: q for q in props["Metrics"]}
    if [truth(q.get("ReturnData", True)) for q in queries.values()].count(True) != 1:
        raise ValueError(f"{name}: an alarm watches exactly one expression")
    for query in queries.values():
        for word in re.findall(r"\b[a-z]\w*", query.get("Expression", "")):
            if word not in queries:
                raise ValueError(f"{name}: {query['Id']} names {word}, which is no metric of it")
    watched = {"Namespace": "emulator/expressions", "MetricName": name}
    return original(name, {**{k: v for k, v in props.items() if k != "Metrics"}, **watched})


def keep(existing):
    """An update of what the template never changes, but for tags."""

    def update(physical_id, old, new, stack):
        if {**old, "Tags": None} != {**new, "Tags": None}:
            raise ValueError("the emulator does not change this resource in place")
        return existing(physical_id)

    return update


def address(public_ip):
    allocation = next(i for i, a in ec2._addresses.items() if a["PublicIp"] == public_ip)
    return public_ip, {"AllocationId": allocation, "PublicIp": public_ip}


def create_address(logical_id, props, stack):
    before = set(ec2._addresses)
    ec2._allocate_address({"Domain": ["vpc"]})
    [allocation] = set(ec2._addresses) - before
    return address(ec2._addresses[allocation]["PublicIp"])


def delete_address(public_ip, props):
    allocation = address(public_ip)[1]["AllocationId"]
    if any(n["AllocationId"] == allocation and n["State"] != "deleted" for n in ec2._nat_gateways.values()):
        raise ValueError(f"{public_ip} is in use by a NAT gateway")
    del ec2._addresses[allocation]


def create_nat_gateway(logical_id, props, stack):
    if props["SubnetId"] not in ec2._subnets:
        raise ValueError(f"there is no subnet {props['SubnetId']}")
    if props["AllocationId"] not in ec2._addresses:
        raise ValueError(f"there is no address {props['AllocationId']}")
    before = set(ec2._nat_gateways)
    ec2._create_nat_gateway({"SubnetId": [props["SubnetId"]], "AllocationId": [props["AllocationId"]]})
    [gateway] = set(ec2._nat_gateways) - before
    return gateway, {"NatGatewayId": gateway}


RESOURCES["AWS::EC2::EIP"] = {"create": create_address, "update": keep(address), "delete": delete_address}
RESOURCES["AWS::EC2::NatGateway"] = {
    "create": create_nat_gateway,
    "update": keep(lambda gateway: (gateway, {"NatGatewayId": gateway})),
    "delete": lambda gateway, props: ec2._delete_nat_gateway({"NatGatewayId": [gateway]}),
}


# --- The start: on a socket that is open already, so that nobody else has its port.


def programs_only(app):
    """Answers no browser. Whoever may call the emulator may run programs here as its
    user, and by itself it allows pages of every origin to call it, as AWS does not."""

    async def guarded(scope, receive, send):
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        headers = dict(scope.get("headers") or [])
        host = headers.get(b"host", b"").decode("latin1").rsplit(":", 1)[0]
        api = host.endswith(".execute-api.localhost")  # a deployed API, which browsers may ask
        page = any(name == b"origin" or name.startswith(b"sec-fetch-") for name in headers)
        if api or host in ("127.0.0.1", "localhost") and not page:
            return await app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b"for programs on this machine"})

    return guarded


if __name__ == "__main__":
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    settings = Config()
    settings.bind = [f"fd://{os.environ['EMULATOR_SOCKET']}"]
    settings.keep_alive_timeout = 75
    asyncio.run(serve(programs_only(app), settings))
