// Package call models the live calls of a PBX: legs, the ties between them, and who is on the other side.
package call
