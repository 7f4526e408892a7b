// A command of a connection of Tidegate's own, which can be abandoned: whatever queue of ioredis it is in, it is not
// carried out later. ioredis itself sends what waited offline even after it has timed out.

/** What Tidegate uses of ioredis' `Command`. */
export interface IoredisCommand {
  args: unknown[];
  readonly promise: Promise<unknown>;
  reject(error: Error): void;
  /** Returns the bytes to write to `stream`. */
  toWritable(stream: object): string | Uint8Array;
}

/** ioredis' class `Command`. */
export type IoredisCommandClass = new (
  name: string,
  args: string[],
  options: { replyEncoding: "utf8" },
) => IoredisCommand;

/** A command that may be abandoned. */
export interface OwnCall extends IoredisCommand {
  /** Whether it has not yet waited for a connection. Set to false once it may. */
  atOnce: boolean;
  /**
   * Rejects it. It is not sent any more; where it was sent at once, its connection has been silent for as long as the
   * caller waited, or is that far behind, and is ended with all that it has not written yet.
   */
  abandon(error: Error): void;
}

/** What is sent in place of an abandoned command, for ioredis expects one answer for each. */
const NOTHING = "*1\r\n$4\r\nPING\r\n";

/** Creates the class of such commands from ioredis' `Command`. */
export function createOwnCallClass(
  Command: IoredisCommandClass,
): new (
  ...args: ConstructorParameters<IoredisCommandClass>
) => OwnCall {
  return class extends Command implements OwnCall {
    atOnce = true;
    #abandoned = false;
    #stream: { destroy?(error: Error): unknown } | undefined;

    override toWritable(stream: object): string | Uint8Array {
      if (this.#abandoned) return NOTHING;
      // Sent again, to where a Cluster has moved the slot: the first connection has answered.
      this.#stream = this.atOnce ? stream : undefined;
      return super.toWritable(stream);
    }

    abandon(error: Error): void {
      this.#abandoned = true;
      this.args = [];
      this.reject(error);
      this.#stream?.destroy?.(error);
    }
  };
}
