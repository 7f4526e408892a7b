// Takes what comes in a message: hands registers on, and keeps what is asked of the rest.

import type {
  BlockEnd,
  BlockHead,
  DigestEntry,
  Header,
  MessageSink,
  SentRegister,
} from "./message.ts";
import type { Replica } from "./replica.ts";

/** Takes the parts of a message. */
export class Incoming implements MessageSink {
  header!: Header;
  known: Map<string, number> = new Map();
  /** Whether the message said all that its sender knew. */
  isAll = true;
  readonly #replica: Replica;
  readonly #instantOf: (mark: number) => number;
  #entries: readonly DigestEntry[] = [];
  #now = 0;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(replica: Replica, instantOf: (mark: number) => number) {
    this.#replica = replica;
    this.#instantOf = instantOf;
  }

  reset(now: number): void {
    this.#now = now;
    this.known = new Map();
    this.isAll = true;
  }

  head(header: Header): void {
    this.header = header;
    this.#writtenAt = this.#instantOf(header.echo);
  }

  digest(entries: readonly DigestEntry[]): void {
    for (const { instance, version } of entries) this.known.set(instance, version);
    this.#entries = entries;
  }

  begin(head: BlockHead): boolean {
    return this.#replica.begin(head, this.#now, this.#writtenAt);
  }

  register(register: SentRegister): void {
    this.#replica.register(register);
  }

  end(end: BlockEnd): void {
    this.#replica.end(end);
    if (!end.isAll) this.isAll = false;
  }

  done(isMore: boolean): void {
    if (isMore) this.isAll = false;
    // What is known here as well is as young as it is there.
    this.#replica.noteAges(this.#entries, this.#writtenAt);
  }
}
