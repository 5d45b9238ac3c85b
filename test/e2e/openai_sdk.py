"""The official Python SDK, unchanged, against a gateway. Prints one line of JSON: the facts that it saw."""
import base64
import json
import os

import openai
from openai import OpenAI

base_url = os.environ["GATEWAY_URL"] + "/v1"
chat_model, plain_model, embedding_model, image_model = os.environ["MODELS"].split(",")
client = OpenAI(base_url=base_url, api_key=os.environ["API_KEY"], max_retries=0)
hello = [{"role": "user", "content": "Say hello to the network, please."}]
facts = {}


def raised(call):
    try:
        call()
    except openai.APIStatusError as error:
        return {"type": type(error).__name__, "status": error.status_code, "code": error.code, "request_id": bool(error.request_id)}
    except openai.APIError as error:
        return {"type": type(error).__name__, "status": None, "code": error.code}
    return None


answer = client.chat.completions.create(model=chat_model, messages=hello, max_tokens=16)
facts["chat"] = {
    "text": bool(answer.choices[0].message.content),
    "usage": answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens,
    "request_id": bool(answer._request_id),
}


def streamed(model, **options):
    chunks = list(client.chat.completions.create(model=model, messages=hello, max_tokens=16, stream=True, **options))
    return {
        "text": "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) != "",
        "finished": any(c.choices and c.choices[0].finish_reason for c in chunks),
        "usage_chunks": sum(1 for c in chunks if c.usage),
        "empty_chunks": sum(1 for c in chunks if not c.choices),
    }


both = (chat_model, plain_model)
facts["streams"] = [streamed(model) for model in both]
facts["streams_with_usage"] = [streamed(model, stream_options={"include_usage": True}) for model in both]

tool = {"type": "function", "function": {"name": "get_weather", "description": "Current weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
weather = {"max_tokens": 64, "tools": [tool], "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
           "messages": [{"role": "user", "content": "What is the weather in Paris?"}]}
called = client.chat.completions.create(model=chat_model, **weather)
facts["tool"] = called.choices[0].message.tool_calls[0].function.name
parts = [call.function for chunk in client.chat.completions.create(model=chat_model, stream=True, **weather)
         for choice in chunk.choices for call in choice.delta.tool_calls or []]
facts["streamed_tool"] = {
    "name": parts[0].name,
    "arguments": list(json.loads("".join(part.arguments or "" for part in parts))),
}

pixel = base64.b64encode(b"\x89PNG" + bytes(64)).decode()
seen = client.chat.completions.create(model=chat_model, max_tokens=16, messages=[{"role": "user", "content": [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64," + pixel}}]}])
facts["vision"] = bool(seen.choices[0].message.content)

embedded = client.embeddings.create(model=embedding_model, input=["one", "two"])
facts["embeddings"] = {"count": len(embedded.data), "numbers": all(isinstance(x, float) for x in embedded.data[0].embedding)}

picture = client.images.generate(model=image_model, prompt="A fox", n=1, size="256x256")
facts["images"] = len(picture.data)

facts["models"] = sorted(model.id for model in client.models.list())
facts["model"] = client.models.retrieve(chat_model).id

completion = client.completions.create(model=chat_model, prompt="Once upon a time", max_tokens=8)
facts["completion"] = bool(completion.choices[0].text)

stranger = OpenAI(base_url=base_url, api_key="sk-atoma-nobody", max_retries=0)
poor = OpenAI(base_url=base_url, api_key=os.environ["POOR_KEY"], max_retries=0)
hurried = OpenAI(base_url=base_url, api_key=os.environ["LIMITED_KEY"], max_retries=0)
narrow = OpenAI(base_url=base_url, api_key=os.environ["NARROW_KEY"], max_retries=0)
ask = {"messages": hello, "max_tokens": 4}
hurried.chat.completions.create(model=chat_model, **ask)
facts["errors"] = {
    "400": raised(lambda: client.chat.completions.create(model=chat_model, messages=[])),
    "401": raised(lambda: stranger.chat.completions.create(model=chat_model, **ask)),
    "402": raised(lambda: poor.chat.completions.create(model=chat_model, **ask)),
    "403": raised(lambda: narrow.chat.completions.create(model=chat_model, **ask)),
    "404": raised(lambda: client.chat.completions.create(model="nobody/serves-this", **ask)),
    "413": raised(lambda: client.chat.completions.create(model=plain_model, user="x" * (21 * 2**20), **ask)),
    "429": raised(lambda: hurried.chat.completions.create(model=chat_model, **ask)),
    "5xx": raised(lambda: client.chat.completions.create(model=os.environ["BROKEN_MODEL"], **ask)),
}
print(json.dumps(facts))
