"""Translates a SAM template to plain CloudFormation, without network or credentials.

    python translate.py TEMPLATE REGION >out.json

Run with the Python that has AWS SAM's command line; its translator is the one that
CloudFormation runs. What is local to the template (code, nested templates) is
replaced by an address in S3, as `sam package` would.
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


def main():
    path, region = sys.argv[1:]
    logging.disable(logging.WARNING)  # the translator's own feature flags
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file)
    for resource in template["Resources"].values():
        name, address = LOCAL.get(resource["Type"], (None, None))
        if name is not None:
            resource["Properties"][name] = address
    translator = Translator(
        managed_policy_map={},
        sam_parser=Parser(),
        boto_session=boto3.session.Session(region_name=region),
    )
    try:
        translated = translator.translate(sam_template=template, parameter_values={})
    except InvalidDocumentException as error:
        for cause in error.causes:
            print(cause.message, file=sys.stderr)
        sys.exit(1)
    json.dump(translated, sys.stdout, indent=1, sort_keys=True)


main()
