"""An application: it knows an address and a token, and nothing of providers."""

import json
import os
import time
import urllib.error
import urllib.request

request = urllib.request.Request(
    os.environ["OPENAI_BASE_URL"] + "/chat/completions",
    json.dumps({"model": "chat", "messages": [{"role": "user", "content": "Say hello in five words."}]}).encode(),
    {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"},
)
while True:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            print(json.load(answer)["choices"][0]["message"]["content"], flush=True)
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode(), flush=True)
    except OSError as error:
        # The sidecar is started when this container's network is there: it may be a moment behind.
        print(error, flush=True)
    time.sleep(10)
