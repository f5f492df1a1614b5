"""ministack 1.5.33 as an AWS account in which template.yaml can be deployed and used.

The installed package is not edited: functions of it are replaced at run time. Each
patch restores a behaviour of AWS that a test relies on; doc.go lists what is left.
"""

import asyncio
import contextvars
import functools
import http.server
import importlib.metadata
import json
import os
import re
import shutil
import signal
import sys
import threading

FOLDER = os.environ["EMULATOR_FOLDER"]

def end_with_parent():
    """Ends functions, files and emulator with standard input, so with who started it."""
    while os.read(0, 4096):
        pass
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=end_with_parent, daemon=True).start()

PINNED = "1.5.33"
if (found := importlib.metadata.version("ministack")) != PINNED:
    sys.exit(f"the launcher is written for ministack {PINNED}; this is {found}")

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.core.responses import json_response, new_uuid, request_scope
from ministack.services import apigateway, cloudformation, lambda_svc
from ministack.services import secretsmanager as secrets
from ministack.services.cloudformation import handlers, provisioners

RESOURCES = provisioners._RESOURCE_HANDLERS

def patch(holder, *names):
    """Replaces functions; the new one is given the original first."""
    functions = holder if isinstance(holder, dict) else vars(holder)
    def install(replacement):
        for name in names:
            functions[name] = functools.partial(replacement, functions[name])
        return replacement
    return install

def checked(response):
    """The content of a service's answer; its error fails the stack."""
    status, _, body = response
    if status >= 400:
        raise ValueError(body)
    return json.loads(body)

def properties(arguments):
    """The new properties among the arguments of a resource's create or update."""
    return [a for a in arguments if isinstance(a, dict)][-1]

# --- CloudFormation: a nested stack keeps what has DeletionPolicy Retain, and knows the
# attributes of what did not change.

@patch(RESOURCES["AWS::CloudFormation::Stack"], "delete")
def delete_nested(original, physical_id, props):
    stack = cloudformation._stacks[provisioners._nested_stack_lookup_name(physical_id)]
    for name, resource in stack["_template"]["Resources"].items():
        if resource.get("DeletionPolicy", "").startswith("Retain"):
            stack["_resources"].pop(name, None)
    original(physical_id, props)

@patch(provisioners, "_update_resource")
def update_resource(original, kind, physical_id, old, new, stack, logical_id, known=None):
    known = known or cloudformation._stacks[stack]["_resources"][logical_id]["Attributes"]
    physical_id, changed = original(kind, physical_id, old, new, stack, logical_id, known)
    return physical_id, changed or known

# --- CloudFormation: the objects that a template names have S3's address, which is how
# `sam delete` finds them.

@patch(handlers._ACTION_HANDLERS, "GetTemplate")
def get_template(original, params):
    status, headers, body = original(params)
    here, there = os.environ["AWS_ENDPOINT_URL"], f"https://s3.{get_region()}.amazonaws.com"
    return status, headers, body.replace(f"{here}/".encode(), f"{there}/".encode())

# --- API Gateway: an HTTP API has the routes and authorizers of its OpenAPI body.

def import_body(api, body):
    stores = (apigateway._routes, apigateway._integrations, apigateway._authorizers)
    before = [(store.setdefault(api, {}), list(store[api])) for store in stores]
    authorizers = {}
    for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
        given = dict(scheme["x-amazon-apigateway-authorizer"], authorizerType="REQUEST")
        made = checked(apigateway._create_authorizer(api, given))
        authorizers[name] = {"authorizationType": "CUSTOM", "authorizerId": made["authorizerId"]}
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            uri = operation["x-amazon-apigateway-integration"]["uri"]
            made = checked(apigateway._create_integration(api, {"integrationUri": uri}))
            verb = "ANY" if method.startswith("x-") else method.upper()
            key = "$default" if path.strip("/") == "$default" else f"{verb} {path}"
            route = {"routeKey": key, "target": f"integrations/{made['integrationId']}"}
            for name in (name for given in operation.get("security", []) for name in given):
                route.update(authorizers.get(name, {}))
            checked(apigateway._create_route(api, route))
    # What was there goes last: a request that is on its way finds one or the other.
    for store, old in before:
        for name in old:
            del store[name]

@patch(RESOURCES["AWS::ApiGatewayV2::Api"], "create", "update")
def provision_api(original, *arguments):
    api, attributes = original(*arguments)
    import_body(api, properties(arguments).get("Body", {"paths": {}}))
    return api, attributes

# --- Lambda: other services invoke a function that permits it. API Gateway's events have
# cookies in a field and the headers of a proxy.

def permits(function, service):
    policy = lambda_svc._functions[function["config"]["FunctionName"]]["policy"]
    return any(s["Principal"] == {"Service": service} for s in policy["Statement"])

@patch(lambda_svc, "_execute_function_with_config_scope")
def execute(original, function, event):
    if isinstance(event, dict) and event.get("requestContext", {}).get("apiId"):
        if not permits(function, "apigateway.amazonaws.com"):
            return {"error": True, "body": "API Gateway is not permitted to invoke it"}
        headers = event["headers"]
        cookies = headers.pop("cookie", "").split(";")
        event["cookies"] = [cookie.strip() for cookie in cookies if cookie.strip()]
        headers.setdefault("x-forwarded-for", event["requestContext"]["http"]["sourceIp"])
        headers.setdefault("x-forwarded-proto", "https")
    return original(function, event)

# --- Lambda: a function has the network of its template, and an invocation that has begun
# when the function is changed comes to its end.

@patch(RESOURCES["AWS::Lambda::Function"], "create", "update")
def provision_function(original, *arguments):
    name, attributes = original(*arguments)
    network = properties(arguments).get("VpcConfig", {})
    checked(lambda_svc._update_config(name, {"VpcConfig": network}))
    return name, attributes

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

# --- CloudWatch: an alarm on an expression is kept and watches nothing.

@patch(provisioners, "_cw_metric_alarm_record")
def alarm_record(original, name, props):
    if props.get("Metrics"):
        watched = {"Metrics": None, "Namespace": "emulator/expressions", "MetricName": name}
        props = {**props, **watched}
    return original(name, props)

# --- IAM: dynamodb:LeadingKeys holds the partition keys of a request, or of a transaction's
# items that need the same permission. What a role needed is written down.

REQUEST = contextvars.ContextVar("request of DynamoDB")
ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}

@patch(iam_actions, "dynamodb_service_context")
def dynamodb_context(original, body):
    REQUEST.set(json.loads(body or b"{}"))
    return original(body)

def partition_key(part):
    """The partition key, named pk, of a request or of a part of one."""
    value = (part.get("Key") or part.get("Item") or {}).get("pk")
    names = part.get("ExpressionAttributeNames") or {}
    condition = re.sub(r"#\w+", lambda name: names.get(name[0], name[0]), part.get("KeyConditionExpression", ""))
    for name in re.findall(r"\bpk = (:\w+)", condition):
        value = part["ExpressionAttributeValues"][name]
    return value["S"] if value else None

def leading_keys(request, action, resource):
    table = resource.partition(":table/")[2].split("/")[0]
    parts = [request] if "TableName" in request else []
    batch = request.get("RequestItems", {}).get(table, {"Keys": []})
    parts += [{"Key": key} for key in batch["Keys"]]
    for kind, part in (pair for item in request.get("TransactItems", []) for pair in item.items()):
        if part["TableName"] == table and ACTIONS.get(kind, "ConditionCheckItem") == action:
            parts.append(part)
    return sorted({key for key in map(partition_key, parts) if key})

@patch(iam_evaluator, "enforce")
def enforce(original, access_key, action, service, region, resource_arn="*", service_context=None):
    if service == "dynamodb":
        keys = leading_keys(REQUEST.get(), action.partition(":")[2], resource_arn)
        service_context = {**service_context, **({"dynamodb:LeadingKeys": keys} if keys else {})}
    return original(access_key, action, service, region, resource_arn, service_context)

@patch(iam_evaluator, "evaluate")
def evaluate(original, context, *policies):
    role = re.search(r":assumed-role/([^/]+)", context.principal_arn)
    if role:
        needed = {"Role": role[1], "Action": context.action, "Resource": context.resource_arn}
        needed["Keys"] = context.service_context.get("dynamodb:leadingkeys")
        with open(f"{FOLDER}/permissions.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(needed) + "\n")
    return original(context, *policies)

# --- Secrets Manager: !Ref of a secret is its ARN. A request's token names the version, which
# takes one value, once.

@patch(RESOURCES["AWS::SecretsManager::Secret"], "create", "update", "delete")
def provision_secret(original, first, *rest):
    result = original(secrets._resolve(first)[0] or first, *rest)
    return result and (result[1]["Arn"], result[1])

def value_of(version):
    return version.get("SecretString"), version.get("SecretBinary")

@patch(secrets, "_create_secret", "_put_secret_value")
def write_version(original, data):
    secret = secrets._resolve(data.get("SecretId") or data.get("Name"))[1]
    token = data.get("ClientRequestToken")
    version = secret["Versions"].get(token, {}) if secret else {}
    if value_of(version) == value_of(data):
        answer = {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token}
        return json_response({**answer, "VersionStages": version["Stages"]})
    if value_of(version) != (None, None):
        return error_response_json("ResourceExistsException", "It has another value.", 400)
    response = original(data)
    if not secret and token and response[0] < 400:
        made = secrets._secrets[data["Name"]]
        made["Versions"] = {token: made["Versions"].popitem()[1]}
    return response

@patch(secrets, "_get_secret_value")
def get_secret_value(original, data):
    response = original(data)
    if response[0] < 400 and value_of(json.loads(response[2])) == (None, None):
        # A version that a rotation is about to fill.
        return error_response_json("ResourceNotFoundException", "The version has no value.", 400)
    return response

# --- Secrets Manager: RotateSecret makes a pending version and runs the function's four steps.
# A rotation that did not end is taken up again, under the same version, before there is another.

@patch(secrets, "_rotate_secret")
def rotate_secret(_, data):
    secret = secrets._resolve(data["SecretId"])[1]
    arn = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    account, region = get_account_id(), get_region()
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
        arn, account_id=account, region=region
    )
    if not permits(function, "secretsmanager.amazonaws.com"):
        return error_response_json("AccessDeniedException", "Not permitted to invoke it.", 400)
    secret.update(RotationLambdaARN=arn, RotationEnabled=True)
    versions = secret["Versions"]
    unfinished = [token for token, v in versions.items() if v["Stages"] == ["AWSPENDING"]]
    token = unfinished[0] if unfinished else data.get("ClientRequestToken") or new_uuid()
    if not unfinished:
        secrets._remove_stage_everywhere(secret, "AWSPENDING")
        versions[token] = {"CreatedDate": secret["CreatedDate"], "Stages": ["AWSPENDING"]}
    record = lambda_svc._execution_record_for_config(function, config)

    def run():
        with request_scope(account, region):
            for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
                event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token}
                if lambda_svc._execute_function_with_config_scope(record, event).get("error"):
                    return

    threading.Thread(target=run, daemon=True).start()
    if unfinished:
        return error_response_json("InvalidRequestException", "A rotation isn't complete.", 400)
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token})

def schedule_rotation(logical_id, props, stack):
    checked(secrets._rotate_secret(props))
    return props["SecretId"], {}

# --- Types that are unknown to ministack. An update does nothing to them, and but for rotations
# they are records: an alias takes its new version at once, and calls go out as before.

def fixed_address(logical_id, props, stack):
    address = "198.18.{}.{}".format(*bytes.fromhex(new_uuid()[:4]))
    return address, {"PublicIp": address, "AllocationId": f"eipalloc-{new_uuid()[:8]}"}

def named(logical_id, props, stack):
    return f"{stack}-{logical_id}", {}

def events(kind):
    arn = f"arn:aws:events:{get_region()}:{get_account_id()}:{kind}/"
    return lambda logical_id, props, stack: (logical_id, {"Arn": f"{arn}{logical_id}/1"})

for kind, create in {
    "AWS::SecretsManager::RotationSchedule": schedule_rotation,
    "AWS::CodeDeploy::Application": named,
    "AWS::CodeDeploy::DeploymentGroup": named,
    "AWS::EC2::EIP": fixed_address,
    "AWS::EC2::NatGateway": named,
    "AWS::Events::Connection": events("connection"),
    "AWS::Events::ApiDestination": events("api-destination"),
}.items():
    keep = lambda physical_id, old, new, stack: (physical_id, {})
    RESOURCES[kind] = {"create": create, "update": keep, "delete": lambda physical_id, props: None}

# --- The start: on a socket that is open already, so that nobody else has its port.

def programs_only(app):
    """Answers no page of a browser: who may call the account may run programs here, and
    ministack by itself lets pages of every origin call it."""

    async def guarded(scope, receive, send):
        headers = dict(scope.get("headers") or [])
        host = headers.get(b"host", b"").decode("latin1").rsplit(":", 1)[0]
        page = any(name == b"origin" or name.startswith(b"sec-fetch-") for name in headers)
        ours = host.endswith(".execute-api.localhost") or host == "127.0.0.1" and not page
        if ours or scope["type"] == "lifespan":
            return await app(scope, receive, send)
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b"for programs on this machine"})

    return guarded

from ministack import app as front  # with the patches
from ministack.app import app

@patch(front, "_handle_cognito_get_request", "_handle_cognito_body_request")
async def no_cognito(*_):
    """AWS knows Cognito's requests by their host. Here it took /oauth2/ from every API."""

# Or a function waits 40 ms for each event.
http.server.BaseHTTPRequestHandler.disable_nagle_algorithm = True
settings = Config()
settings.bind = [f"fd://{os.environ['EMULATOR_SOCKET']}"]
settings.keep_alive_timeout = 75
asyncio.run(serve(programs_only(app), settings))
