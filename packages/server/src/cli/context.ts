// What a command sees of the process it runs in. main.ts alone makes it of the real one.

/** A stream to write to. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  /** Of a terminal. */
  readonly columns?: number | undefined;
}

/** The surroundings of a command. */
export interface Context {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working directory. */
  readonly directory: string;
  /** For answers. */
  readonly stdout: Output;
  /** For what goes wrong. */
  readonly stderr: Output;
}

/** What a command ends with. */
export const EXIT = {
  ok: 0,
  /** `check`: denied. `serve`: could not start. `demo`: the limit was not kept. `simulate`: nor was a promise. */
  failed: 1,
  /** Wrong usage or configuration, or nothing answers. */
  unusable: 2,
} as const;
