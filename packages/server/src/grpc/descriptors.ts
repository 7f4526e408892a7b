// The descriptors that reflection serves. protobufjs writes two things wrong when it turns a parsed file into a
// descriptor, and strict readers such as grpcurl then refuse the whole file: it names the entries of a map after the
// field without "Entry", and leaves out that an optional field of proto3 is one. Both are put right here.

import { loadSync } from "@grpc/proto-loader";
import descriptor from "protobufjs/ext/descriptor/index.js";

const { FileDescriptorProto } = descriptor;

interface FieldDescriptor {
  name: string;
  typeName?: string;
  oneofIndex?: number | null;
  proto3Optional?: boolean;
}

interface MessageDescriptor {
  name: string;
  field: FieldDescriptor[];
  nestedType: MessageDescriptor[];
  oneofDecl: { readonly name: string }[];
  options?: { readonly mapEntry?: boolean } | null;
}

interface FileDescriptor {
  readonly messageType: MessageDescriptor[];
}

/** Loads proto files and returns the descriptors of them and all that they import, as bytes. */
export function loadDescriptors(files: readonly string[], folder: string): Buffer[] {
  const found = new Set<string>();
  for (const file of files) {
    const definitions = loadSync(file, { includeDirs: [folder], keepCase: true });
    for (const definition of Object.values(definitions)) {
      // A service has methods by name, a message or enum its descriptors.
      const { fileDescriptorProtos } = definition as { fileDescriptorProtos?: unknown };
      if (!Array.isArray(fileDescriptorProtos)) continue;
      for (const bytes of fileDescriptorProtos) found.add(Buffer.from(bytes).toString("base64"));
    }
  }
  return Array.from(found, (base64) => repair(Buffer.from(base64, "base64")));
}

function repair(bytes: Buffer): Buffer {
  const file = FileDescriptorProto.decode(bytes);
  for (const message of (file as unknown as FileDescriptor).messageType) repairMessage(message);
  return Buffer.from(FileDescriptorProto.encode(file).finish());
}

function repairMessage(message: MessageDescriptor): void {
  for (const nested of message.nestedType) {
    repairMessage(nested);
    if (nested.options?.mapEntry !== true) continue;
    // Protobuf: the entry of the map field `some_name` is the nested message `SomeNameEntry`.
    const field = message.field.find(({ typeName }) => typeName === nested.name);
    if (field === undefined) continue;
    nested.name = `${field.name.replace(/(?:^|_)(.)/g, (_, letter) => letter.toUpperCase())}Entry`;
    field.typeName = nested.name;
  }
  for (const field of message.field) {
    // An optional field of proto3 is alone in a oneof that is named after it.
    const { oneofIndex } = field;
    if (!Object.hasOwn(field, "oneofIndex") || typeof oneofIndex !== "number") continue;
    if (message.oneofDecl[oneofIndex]?.name === `_${field.name}`) field.proto3Optional = true;
  }
}
