/**
 * An NVIDIA attestation report: the request GET_MEASUREMENTS of SPDM 1.1 (DSP0274, 10.11) as it was sent, and the device's
 * response, whose signature covers both. In the opaque data NVIDIA puts fields of type, length and value.
 */

export type SpdmReport = {
  /** What the device was asked to sign over. */
  readonly requesterNonce: Uint8Array;
  /** Signed by the device's leaf certificate. */
  readonly signedBytes: Uint8Array;
  /** ECDSA over P-384: r and s, 48 bytes each. */
  readonly signature: Uint8Array;
  readonly opaque: ReadonlyMap<number, Uint8Array>;
};

/** Version 1.1, GET_MEASUREMENTS, with a signature, of all measurements. */
const requestHeader = Buffer.from('11e001ff', 'hex');
/** Header, nonce and the slot of the certificates. */
const requestBytes = 37;
const responseHeader = Buffer.from('1160', 'hex');
const nonceBytes = 32;
const signatureBytes = 96;
const dmtfSpecification = 1;

/** Nothing where a byte is missing, left over, or not as the layout says. */
export function parseSpdmReport(bytes: Uint8Array): SpdmReport | undefined {
  const report = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const recordAt = requestBytes + 8;
  if (report.length < recordAt) return undefined;
  if (!report.subarray(0, 4).equals(requestHeader)) return undefined;
  if (!report.subarray(requestBytes, requestBytes + 2).equals(responseHeader)) return undefined;
  const nonceAt = recordAt + report.readUIntLE(requestBytes + 5, 3);
  const opaqueAt = nonceAt + nonceBytes + 2;
  if (report.length < opaqueAt) return undefined;
  const signatureAt = opaqueAt + report.readUInt16LE(nonceAt + nonceBytes);
  if (report.length !== signatureAt + signatureBytes) return undefined;
  const blocks = report.readUInt8(requestBytes + 4);
  if (!isRecord(report.subarray(recordAt, nonceAt), blocks)) return undefined;
  const opaque = parseOpaque(report.subarray(opaqueAt, signatureAt));
  if (!opaque) return undefined;
  return {
    requesterNonce: report.subarray(4, 4 + nonceBytes),
    signedBytes: report.subarray(0, signatureAt),
    signature: report.subarray(signatureAt),
    opaque,
  };
}

/** Exactly `count` blocks, at least one: index, specification, size, then type, size and value. */
function isRecord(record: Buffer, count: number): boolean {
  let at = 0;
  for (let block = 0; block < count; block += 1) {
    if (record.length < at + 7) return false;
    const size = record.readUInt16LE(at + 2);
    if (record.readUInt8(at + 1) !== dmtfSpecification) return false;
    if (record.readUInt16LE(at + 5) !== size - 3) return false;
    at += 4 + size;
  }
  return count > 0 && at === record.length;
}

/** No type twice: two readers could otherwise take different values. */
function parseOpaque(bytes: Buffer): ReadonlyMap<number, Uint8Array> | undefined {
  const fields = new Map<number, Uint8Array>();
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length < at + 4) return undefined;
    const type = bytes.readUInt16LE(at);
    const end = at + 4 + bytes.readUInt16LE(at + 2);
    if (end > bytes.length || fields.has(type)) return undefined;
    fields.set(type, bytes.subarray(at + 4, end));
    at = end;
  }
  return fields;
}
