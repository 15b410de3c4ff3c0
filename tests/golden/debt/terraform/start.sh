#!/bin/sh
echo "${role}" >/etc/role
wget -q https://files.example/agent.tar.gz
