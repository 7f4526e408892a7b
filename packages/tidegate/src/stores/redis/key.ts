// Names of keys in Redis, and the Cluster slots they lie in. Two different policy keys never share a name.

import { optionError } from "../../policy/options.ts";

/** Version of what the values mean; state of another version is never read. */
const KEY_VERSION = "v1";

const NEEDS_ESCAPE = /[%}]|[\ud800-\udfff]/;
const TO_ESCAPE = /[%}]|[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g;

/**
 * Names the Redis key of a policy key: `tidegate:v1:{api:user%25}`. All in braces is the Cluster hash tag, so one
 * policy key is one slot. `%` and `}` are escaped, and so are lone surrogates, which UTF-8 would make all the same; a
 * policy's name has no colon, so the first colon in the braces ends it.
 */
export function redisKey(prefix: string, policy: string, key: string): string {
  return `${prefix}:${KEY_VERSION}:{${policy}:${escapeText(key)}}`;
}

/** Names the Redis key of a policy key. */
export type KeyNames = (policy: string, key: string) => string;

/** What a policy key's place in a Cluster hangs on: keys of one tag are in one slot. */
export type HashTag = (request: { readonly policy: string; readonly key: string }) => string;

/**
 * Creates the names under a prefix. With a `hashTag` of the application's they are `tidegate:v1:{tag}:{api:user}`: the
 * first braces are the tag, and the others keep policy keys apart.
 */
export function createKeyNames(prefix: string, hashTag: HashTag | undefined): KeyNames {
  if (hashTag === undefined) return (policy, key) => redisKey(prefix, policy, key);
  return (policy, key) => {
    const tag: unknown = hashTag({ policy, key });
    // An empty tag would be none for Redis.
    if (typeof tag !== "string" || tag === "") {
      throw optionError("hashTag", "a function that returns a text that is not empty", tag);
    }
    return `${prefix}:${KEY_VERSION}:{${escapeText(tag)}}:{${policy}:${escapeText(key)}}`;
  };
}

/** Names the Redis key of what the limit at `index` of a policy key holds beside its numbers: its log, or permits. */
export function entriesKey(name: string, index: number): string {
  return `${name}:${index + 1}`;
}

/** Names the Redis key of what is remembered under an id; in the slot of its policy key. */
export function recordKey(name: string, id: string): string {
  return `${name}:id:${escapeText(id)}`;
}

/** Names the Redis key of what is remembered of a policy key beside its states; pasts.lua says what that is. */
export function pastKey(name: string): string {
  return `${name}:past`;
}

/**
 * Escapes a text for a name or a script: no two that differ are the same then, and none has a lone surrogate, which
 * neither UTF-8 nor the JSON of Lua takes.
 */
export function escapeText(text: string): string {
  return NEEDS_ESCAPE.test(text) ? text.replace(TO_ESCAPE, escapeCharacter) : text;
}

function escapeCharacter(character: string): string {
  if (character.length === 2) return character;
  const code = character.charCodeAt(0).toString(16).toUpperCase();
  return code.length > 2 ? `%u${code}` : `%${code}`;
}

const CRC16 = new Uint16Array(256).map((_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

const encoder = new TextEncoder();

/**
 * Returns the Cluster slot, 0 to 16383, of a key made by redisKey: CRC16 (XMODEM) of its hash tag.
 * Source: Redis Cluster specification, "Key distribution model".
 */
export function slotOf(name: string): number {
  const open = name.indexOf("{");
  const tag = encoder.encode(name.slice(open + 1, name.indexOf("}", open)));
  let crc = 0;
  for (const byte of tag) crc = ((crc << 8) ^ CRC16[((crc >> 8) ^ byte) & 0xff]!) & 0xffff;
  return crc & 0x3fff;
}
