// What carries messages between the nodes that gossip: a network, a bus, or a simulation.

/** Carries messages. It may lose, repeat, reorder and delay them: no count hangs on any one of them. */
export interface Transport {
  /** Where other nodes reach this one, as they name it. */
  readonly address: string;
  /**
   * Begins to receive: from now on each message that arrives is given to `receive`, which never throws.
   * @throws TidegateError INVALID_OPTION, or rejects with it, where the address cannot be listened on.
   */
  open(receive: (message: Uint8Array) => void): void | Promise<void>;
  /**
   * Sends a message on its way, of at most `maxMessageBytes` of the options of gossip and 64 KiB more. It neither waits
   * nor throws, and delivers nothing before it returns: what cannot be sent is lost.
   */
  send(address: string, message: Uint8Array): void;
  /** Addresses of the nodes that there should be, this one's among them or not. Asked before each round. */
  members(): readonly string[];
  /** Stops, once what was sent has left: within about a second. */
  close(): void | Promise<void>;
}
