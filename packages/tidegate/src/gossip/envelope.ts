// What messages go in: signed where there is a secret, and refused where they are not what they should be.

import type { Signer } from "../ports/signer.ts";
import type { GossipMessage, Telemetry } from "../ports/telemetry.ts";
import type { Transport } from "../ports/transport.ts";
import { MESSAGE_VERSION } from "./message.ts";
import { isMessage, versionOf } from "./read-message.ts";

/** What it needs. */
export interface EnvelopeOptions {
  readonly transport: Transport;
  /** Left out, messages are believed as they come. */
  readonly signer: Signer | undefined;
  readonly telemetry: Telemetry | undefined;
  readonly maxBytes: number;
}

/** More than the largest message by this many bytes may arrive: the last register of a full one, and its signature. */
const SLACK_BYTES = 65_536;

/** Sends and receives. */
export class Envelope {
  readonly #options: EnvelopeOptions;

  constructor(options: EnvelopeOptions) {
    this.#options = options;
  }

  /** Begins to receive. What `take` finds to be malformed is refused. */
  open(take: (message: Uint8Array) => void): void | Promise<void> {
    return this.#options.transport.open((bytes) => this.#receive(bytes, take));
  }

  send(address: string, message: Uint8Array): void {
    const { transport, signer, telemetry } = this.#options;
    const signature = signer?.sign(message);
    const bytes = new Uint8Array(message.length + (signature?.length ?? 0));
    bytes.set(message);
    if (signature !== undefined) bytes.set(signature, message.length);
    telemetry?.gossiped?.({ direction: "sent", bytes: bytes.length });
    transport.send(address, bytes);
  }

  close(): void | Promise<void> {
    return this.#options.transport.close();
  }

  #receive(bytes: Uint8Array, take: (message: Uint8Array) => void): void {
    const { signer, telemetry } = this.#options;
    const reason = this.#reasonToRefuse(bytes);
    if (reason !== undefined) {
      telemetry?.gossiped?.({ direction: "refused", bytes: bytes.length, reason });
      return;
    }
    try {
      take(signer === undefined ? bytes : bytes.subarray(0, bytes.length - signer.length));
      telemetry?.gossiped?.({ direction: "received", bytes: bytes.length });
    } catch {
      // Whatever it was that could not be read: a stranger must not end the process.
      telemetry?.gossiped?.({ direction: "refused", bytes: bytes.length, reason: "malformed" });
    }
  }

  #reasonToRefuse(bytes: Uint8Array): GossipMessage["reason"] {
    const { signer, maxBytes } = this.#options;
    if (bytes.length > maxBytes + SLACK_BYTES) return "too-large";
    if (!isMessage(bytes)) return "malformed";
    if (versionOf(bytes) !== MESSAGE_VERSION) return "version";
    if (signer === undefined) return undefined;
    const end = bytes.length - signer.length;
    if (end < 0 || !signer.isSigned(bytes.subarray(0, end), bytes.subarray(end))) return "unsigned";
    return undefined;
  }
}
