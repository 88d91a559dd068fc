# Locust with the bots and scenarios of this folder; compose.yaml and deploy/kubernetes use it.
#   docker build -t nakama-bots .
#   docker run --rm nakama-bots --headless --users 20 --run-time 30s
#   docker run --rm --entrypoint nakama-bots nakama-bots doctor https://game.example.com
#
# Only the emulator, with a game's modules:
#   docker build -t nakama-emulator --target emulator .
#   docker run --rm -p 127.0.0.1:7350:7350 -v ./modules:/modules:ro nakama-emulator --module /modules
FROM python:3.12-slim AS emulator
WORKDIR /nakama_bots
COPY deploy/emulator.txt deploy/
RUN pip install --no-cache-dir -r deploy/emulator.txt
COPY . .
RUN pip install --no-cache-dir --no-deps .
EXPOSE 7350
ENTRYPOINT ["nakama-bots", "emulator", "--host", "0.0.0.0"]

FROM python:3.12-slim
WORKDIR /nakama_bots
COPY . .
RUN pip install --no-cache-dir .
ENTRYPOINT ["locust", "-f", "locustfile.py"]
