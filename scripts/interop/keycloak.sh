#!/bin/sh
# Brings Keycloak from Maven Central into .tools/keycloak and prints that directory.
. "$(dirname -- "$0")/../common.sh"
tool keycloak 26.7.3
need java "Keycloak runs on Java 17 or later"
need mvn "Keycloak comes as the Maven artefact org.keycloak:keycloak-quarkus-dist"
need python3 "its archive is unpacked with python3"
begin "1 minute"

logged mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    "-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:zip" "-DoutputDirectory=$build"
logged python3 -m zipfile -e "$build/keycloak-quarkus-dist-$version.zip" "$build"
mv "$build/keycloak-$version" "$home/dist"
chmod +x "$home/dist/bin/kc.sh"
# Done once here, so that a test's start does not have to: an in-memory database, no cluster.
logged "$home/dist/bin/kc.sh" build --db=dev-mem --cache=local
finish
