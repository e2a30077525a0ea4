# One image for every role; docker-compose.yml names the role. No Java and no Postgres server: those have images of their own.
FROM python:3.12-slim AS build
WORKDIR /source
COPY requirements.lock ./
# uv as the lock pins it; it then holds every wheel against the lock's hashes.
RUN awk '/^[^ ]/ { ours = /^uv==/ } ours' requirements.lock > /tmp/uv.lock \
    && pip install --no-cache-dir --no-deps --require-hashes --requirement /tmp/uv.lock \
    && python -m venv --without-pip /opt/clonepost
ENV VIRTUAL_ENV=/opt/clonepost UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
COPY . ./
# The lock is a constraint: what the project needs, in the versions and with the hashes that the tests ran with.
RUN grep '^hatchling==' requirements.lock | cut -d ' ' -f 1 > /tmp/build.txt \
    && uv pip install --constraint requirements.lock --build-constraint /tmp/build.txt ".[openai,registry,render]"

FROM python:3.12-slim
# A number, so that an orchestrator can see that it is not root.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin clonepost
# A volume that is mounted here takes over its owner.
RUN install -d -o 10001 -g 10001 /var/lib/clonepost/assets
COPY --from=build /opt/clonepost /opt/clonepost
ENV PATH=/opt/clonepost/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["clonepost"]
CMD ["--help"]
