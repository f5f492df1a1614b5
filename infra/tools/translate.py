"""Translates SAM templates to plain CloudFormation, without network or credentials.

    python translate.py <JOBS.json

Run with the Python that has AWS SAM's command line; its translator is the one that
CloudFormation runs. A job is {"template", "region", "parameters", "output"}: three files
and a region, the parameters as `aws cloudformation` takes them. Prints a list with one
entry for each job: the causes for which it was refused, or none. A template without
SAM's transform becomes JSON and nothing else. What is local to a template (code, nested
templates) is replaced by an address in S3, as `sam package` would.
"""

import json
import logging
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# Where `sam package` puts a local file: property by type.
LOCAL = {
    "AWS::Serverless::Function": ("CodeUri", "s3://bucket/key"),
    "AWS::CloudFormation::Stack": ("TemplateURL", "https://s3.amazonaws.com/bucket/key"),
}


def translate(template, region, parameters, output):
    with open(template, encoding="utf-8") as file:
        translated = yaml_parse(file)
    if "Transform" in translated:
        for resource in translated["Resources"].values():
            name, address = LOCAL.get(resource["Type"], (None, None))
            if name is not None:
                resource["Properties"][name] = address
        with open(parameters, encoding="utf-8") as file:
            values = {p["ParameterKey"]: p["ParameterValue"] for p in json.load(file)}
        translator = Translator(
            managed_policy_map={},
            sam_parser=Parser(),
            boto_session=boto3.session.Session(region_name=region),
        )
        try:
            translated = translator.translate(sam_template=translated, parameter_values=values)
        except InvalidDocumentException as error:
            return [cause.message for cause in error.causes]
    with open(output, "w", encoding="utf-8") as file:
        json.dump(translated, file, indent=1, sort_keys=True)
    return []


logging.disable(logging.WARNING)  # the translator's own feature flags
json.dump([translate(**job) for job in json.load(sys.stdin)], sys.stdout)
