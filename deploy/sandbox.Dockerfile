# The stand-ins for Twilio and Meta. They share no code with the services they watch, so this image
# has none of it:
#   docker build --file deploy/sandbox.Dockerfile --tag trunkline-sandbox .

ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/build.txt requirements/sandbox.txt requirements/
RUN python -m venv --without-pip /opt/trunkline \
    && pip --python /opt/trunkline/bin/python install --require-hashes --only-binary :all: \
        --requirement requirements/sandbox.txt \
    && pip install --require-hashes --requirement requirements/build.txt
COPY deploy/sandbox deploy/sandbox
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels ./deploy/sandbox \
    && pip --python /opt/trunkline/bin/python install --no-deps --no-index wheels/*.whl \
    && /opt/trunkline/bin/python -m compileall -q /opt/trunkline/lib

FROM python:${PYTHON}-slim-bookworm
ENV PATH=/opt/trunkline/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 10001 trunkline \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent trunkline \
    && install --directory --owner 10001 --group 10001 /var/lib/trunkline
COPY --from=build /opt/trunkline /opt/trunkline
USER 10001:10001
EXPOSE 8090
ENTRYPOINT ["python", "-m", "trunkline_sandbox"]
CMD ["serve"]
