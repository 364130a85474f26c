FROM registry.example.org/team/base:1
COPY agent.sh /usr/local/bin/agent
