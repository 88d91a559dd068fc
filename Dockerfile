# Locust with the bots and scenarios of this folder; compose.yaml and deploy/kubernetes use it.
#   docker build -t nakama-bots .
#   docker run --rm nakama-bots --headless --users 20 --run-time 30s
#   docker run --rm --entrypoint nakama-bots nakama-bots doctor https://game.example.com
FROM python:3.12-slim
WORKDIR /nakama_bots
COPY . .
RUN pip install --no-cache-dir .
ENTRYPOINT ["locust", "-f", "locustfile.py"]
