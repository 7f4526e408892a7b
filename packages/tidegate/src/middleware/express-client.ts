// Who a request comes from, as Express tells it. Proxies are believed exactly as far as the application's
// "trust proxy" setting says, and settings that make every address a lie are reported.

import type { Request } from "express";
import { TidegateError } from "../errors.ts";
import { show } from "../policy/options.ts";
import { emitWarning, type Warning } from "../runtime/warnings.ts";
import { addressKey, DEFAULT_IPV6_PREFIX } from "./client-address.ts";
import { reportOnce } from "./misuse.ts";

/** What a middleware lends to the key functions that it calls. */
export interface AddressSettings {
  readonly ipv6Prefix: number;
  readonly warn: (warning: Warning) => void;
}

const settingsByRequest = new WeakMap<Request, AddressSettings>();
const DEFAULTS: AddressSettings = { ipv6Prefix: DEFAULT_IPV6_PREFIX, warn: emitWarning };

/** Makes `clientAddress(req)` follow a middleware's options while its key function runs. */
export function lendAddressSettings(req: Request, settings: AddressSettings): void {
  settingsByRequest.set(req, settings);
}

/**
 * Returns the key for the client's address, the default of `rateLimit`, for key functions that fall back to it:
 * `key: (req) => req.user ? "user:" + req.user.id : clientAddress(req)`. It is `req.ip`: an IPv4 address as such,
 * an IPv6 address by its prefix, of `ipv6Prefix` bits where a middleware with that option asks, else of 64.
 * @throws TidegateError INVALID_REQUEST, field "key", where the request has no usable address.
 */
export function clientAddress(req: Request): string {
  const { ipv6Prefix, warn } = settingsByRequest.get(req) ?? DEFAULTS;
  reportProxySettings(req, warn);
  const address: unknown = req.ip;
  const key = typeof address === "string" ? addressKey(address, ipv6Prefix) : undefined;
  if (key !== undefined) return key;
  throw new TidegateError(
    "INVALID_REQUEST",
    `key must come from an IPv4 or IPv6 address, and req.ip is ${show(address)}; set Express' "trust proxy" ` +
      "to the proxies in front of this application, or give rateLimit() a key function",
    { field: "key" },
  );
}

/** Tells whether the client has closed its connection before its address was read; then there is none any more. */
export function leftWithoutAddress(req: Request): boolean {
  return req.ip === undefined && req.socket?.destroyed === true;
}

function reportProxySettings(req: Request, warn: (warning: Warning) => void): void {
  const trust: unknown = req.app?.get("trust proxy");
  if (trust === true) {
    reportOnce(
      req.app,
      warn,
      "TIDEGATE_TRUST_PROXY_TRUE",
      'Express\' "trust proxy" is true, so anyone can choose the address they are counted under by sending ' +
        "X-Forwarded-For, and pass every limit. Set it to the number of proxies in front of this application, " +
        'as in app.set("trust proxy", 1), or to their addresses.',
    );
  } else if (!trust && req.headers["x-forwarded-for"] !== undefined) {
    reportOnce(
      req.app,
      warn,
      "TIDEGATE_FORWARDED_FOR_IGNORED",
      'A request carries X-Forwarded-For, and Express\' "trust proxy" is off. If a proxy stands in front of this ' +
        "application, all its clients are being counted as one, under the proxy's address: set the number of " +
        'proxies, as in app.set("trust proxy", 1). If none does, the header is forged and rightly ignored.',
    );
  }
}

/** Returns all of a request that an application could choose a middleware by; undefined for a mocked request. */
export function fingerprintOf(req: Request): string | undefined {
  const { rawHeaders, socket } = req;
  if (!Array.isArray(rawHeaders) || rawHeaders.length === 0) return undefined;
  return [req.method, req.originalUrl, socket?.remoteAddress, ...rawHeaders].join("\n");
}
