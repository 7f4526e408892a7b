// Signatures by a shared secret: HMAC-SHA-256 (RFC 2104).

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Signer } from "../ports/signer.ts";

/** Creates a signer by a secret that all nodes know. */
export function createHmacSigner(secret: string): Signer {
  const sign = (message: Uint8Array) => createHmac("sha256", secret).update(message).digest();
  return {
    length: 32,
    sign,
    isSigned: (message, signature) => timingSafeEqual(sign(message), signature),
  };
}
