/** Requests of `/v1/chat/completions`. */
import type { Failure } from './failure.ts';
import { isObject, type JsonObject } from './json.ts';
import type { RequestShape } from './request.ts';
import {
  choicesMax,
  invalid,
  isFailure,
  isGiven,
  parseStream,
  utf8Length,
  wholeNumber,
} from './request-fields.ts';

// Templates print the arguments of a call with markup around each: `<parameter=a>\n1\n</parameter>\n` for `\"a\":1,`.
const callExpansion = 3;

// The widest indentation that chat templates use for tool definitions.
const indentation = 4;

type MessageSize = {
  promptBytes: number;
  printedBytes: number;
  mediaParts: number;
  mediaBytes: number;
};

/** Messages, tools, the output limit and the number of choices; unknown members are not looked at. */
export function parseChat(json: JsonObject): RequestShape | Failure {
  const stream = parseStream(json);
  if (isFailure(stream)) return stream;
  const output = parseOutput(json);
  if (isFailure(output)) return output;
  const size = parseMessages(json.messages);
  if (isFailure(size)) return size;
  const tools = parseTools(json);
  if (isFailure(tools)) return tools;
  return {
    ...stream,
    ...output,
    ...size,
    toolBytes: tools.bytes,
    printedBytes: size.printedBytes + tools.printedBytes,
    ownTemplate: isGiven(json.chat_template),
    promptTokens: 0,
    longestPromptTokens: 0,
    images: 0,
    imagePixels: 0,
  };
}

function parseOutput(json: JsonObject) {
  const bounds = { min: 1, max: Number.MAX_SAFE_INTEGER };
  const older = wholeNumber(json, 'max_tokens', bounds);
  if (isFailure(older)) return older;
  const newer = wholeNumber(json, 'max_completion_tokens', bounds);
  if (isFailure(newer)) return newer;
  const choices = wholeNumber(json, 'n', { min: 1, max: choicesMax });
  if (isFailure(choices)) return choices;
  // A node reads one of the two names, or the greater counts.
  const asked = Math.max(older ?? 0, newer ?? 0);
  return { outputTokensAsked: asked === 0 ? undefined : asked, choices: choices ?? 1 };
}

function parseMessages(value: unknown) {
  if (!Array.isArray(value) || value.length === 0) {
    return invalid('messages', '"messages" must be a list of at least one message.');
  }
  const messages: readonly unknown[] = value;
  const size: MessageSize = { promptBytes: 0, printedBytes: 0, mediaParts: 0, mediaBytes: 0 };
  for (const [index, message] of messages.entries()) {
    const failure = addMessage(message, `messages[${index}]`, size);
    if (failure) return failure;
  }
  return { ...size, messages: messages.length };
}

function addMessage(message: unknown, param: string, size: MessageSize): Failure | undefined {
  if (!isObject(message)) return invalid(param, 'A message must be an object.');
  const { role, content } = message;
  if (typeof role !== 'string') return invalid(`${param}.role`, 'A message needs a role.');
  if (isGiven(message.tool_calls)) {
    const callBytes = utf8Length(JSON.stringify(message.tool_calls));
    size.promptBytes += callBytes;
    size.printedBytes += callBytes * callExpansion;
  }
  if (typeof content === 'string') {
    size.promptBytes += utf8Length(content);
    return undefined;
  }
  if (!isGiven(content)) {
    if (role === 'assistant') return undefined;
    return invalid(`${param}.content`, 'A message needs content.');
  }
  if (!Array.isArray(content)) {
    return invalid(`${param}.content`, 'Content must be a text or a list of parts.');
  }
  return addParts(content, `${param}.content`, size);
}

function addParts(
  parts: readonly unknown[],
  param: string,
  size: MessageSize,
): Failure | undefined {
  for (const [index, part] of parts.entries()) {
    if (!isObject(part) || typeof part.type !== 'string') {
      return invalid(`${param}[${index}]`, 'A content part must be an object with a type.');
    }
    if (part.type === 'text' || part.type === 'refusal') {
      const text = part.text ?? part.refusal;
      if (typeof text !== 'string') {
        return invalid(`${param}[${index}].text`, 'A text part needs a text.');
      }
      size.promptBytes += utf8Length(text);
    } else {
      size.mediaParts += 1;
      size.mediaBytes += mediaBytesOf(part);
    }
  }
  return undefined;
}

/** Bytes that stand in the body as base64: data URLs of pictures, `data` of sounds, `file_data` of files. */
function mediaBytesOf(part: JsonObject): number {
  const url = member(part.image_url, 'url') ?? member(part.video_url, 'url');
  if (url?.startsWith('data:')) return utf8Length(url);
  const inline = member(part.input_audio, 'data') ?? member(part.file, 'file_data');
  return inline === undefined ? 0 : utf8Length(inline);
}

function member(value: unknown, name: string): string | undefined {
  const found = isObject(value) ? value[name] : undefined;
  return typeof found === 'string' ? found : undefined;
}

function parseTools(json: JsonObject): { bytes: number; printedBytes: number } | Failure {
  const size = { bytes: 0, printedBytes: 0 };
  for (const param of ['tools', 'functions']) {
    const value = json[param];
    if (!isGiven(value)) continue;
    if (!Array.isArray(value)) return invalid(param, `"${param}" must be a list.`);
    size.bytes += utf8Length(JSON.stringify(value));
    size.printedBytes += utf8Length(JSON.stringify(value, null, indentation));
  }
  return size;
}
