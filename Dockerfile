# An image in which the README's two commands run:
#   docker build -t galmorph . && docker run -it -v "$PWD":/galmorph galmorph make reproduce
FROM python:3.12-slim-bookworm
# chromium: the tests of the report's page
RUN apt-get update && apt-get install -y --no-install-recommends chromium git make && rm -rf /var/lib/apt/lists/*
WORKDIR /galmorph
# The checkout belongs to another user than the container's.
RUN git config --system --add safe.directory /galmorph
CMD ["make", "reproduce"]
