// Reads the files of mutual TLS, and says what is wrong with them before anything listens.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { PeerTls } from "./peer-tls.ts";

/** Names of the files. */
export type PeerTlsFiles = Readonly<Record<"cert" | "key" | "ca", string>>;

/** What the files hold, or what is wrong with which: the words after the name of the setting. */
export type ReadPeerTls =
  | { readonly tls: PeerTls }
  | { readonly wrong: readonly (readonly [file: keyof PeerTlsFiles, words: string])[] };

/** Reads the files, whose names are absolute or start at the working directory. */
export function readPeerTls(files: PeerTlsFiles, name: string | undefined): ReadPeerTls {
  const wrong: [keyof PeerTlsFiles, string][] = [];
  const read = <T>(file: keyof PeerTlsFiles, expected: string, parse: (pem: string) => T) => {
    const path = files[file];
    let pem: string;
    try {
      pem = readFileSync(path, "utf8");
    } catch (error) {
      wrong.push([
        file,
        `must be a file that can be read, got ${JSON.stringify(path)}: ${said(error)}`,
      ]);
      return undefined;
    }
    try {
      return { pem, parsed: parse(pem) };
    } catch (error) {
      // What is in the file is not shown: it may be the key.
      wrong.push([file, `must be ${expected} in PEM, got ${JSON.stringify(path)}: ${said(error)}`]);
      return undefined;
    }
  };
  const cert = read("cert", "a file with a certificate", (pem) => new X509Certificate(pem));
  const key = read("key", "a file with an unencrypted private key", (pem) => createPrivateKey(pem));
  const ca = read("ca", "a file with the certificate of an authority", (pem) => {
    return new X509Certificate(pem);
  });
  if (cert !== undefined && key !== undefined && !isPair(cert.parsed, key.parsed)) {
    wrong.push(["key", "must be the key of the certificate of peers.tls.cert, got another one"]);
  }
  if (wrong.length > 0 || cert === undefined || key === undefined || ca === undefined) {
    return { wrong };
  }
  const named = name === undefined ? {} : { name };
  return { tls: { cert: cert.pem, key: key.pem, ca: ca.pem, ...named } };
}

function isPair(certificate: X509Certificate, key: KeyObject): boolean {
  return certificate.checkPrivateKey(key);
}

function said(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "ENOENT" ? "there is no such file" : message;
}
