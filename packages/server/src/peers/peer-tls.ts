// What nodes prove to each other who they are with.

/** A node's certificate and key, and the authority that those of all nodes are signed by; texts in PEM. */
export interface PeerTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** The name in the certificates of all nodes; left out, that of a node is the host of its address. */
  readonly name?: string;
}
