// Signs messages, so that a stranger's are told from those of one's own.

/** Signs with a secret that it knows. */
export interface Signer {
  /** Bytes of a signature. */
  readonly length: number;
  sign(message: Uint8Array): Uint8Array;
  /** Compares in a time that does not tell where they differ. */
  isSigned(message: Uint8Array, signature: Uint8Array): boolean;
}
