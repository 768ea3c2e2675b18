"""What ADS-B says of its own accuracy, as 1-sigma errors.

The standard gives bounds that hold in 95 % of cases: NACp the radius of a circle (EPU), NACv one velocity component, GVA the
height. Transponders of version 0 send NUCp (by the type of the position message) and NUCr instead. Code 0 is "unknown":
None, never a number. NIC is no accuracy but what an integrity alarm guards, so it becomes no sigma.

Source: RTCA DO-260B, tables 2-14 (NIC), 2-71 (NACp), 2-22 (NACv), 2-72 (GVA), appendix N (NUCp, NUCr of version 0).
"""

from __future__ import annotations

import math

NM_M = 1852.0
RADIUS_95 = math.sqrt(-2.0 * math.log(0.05))  # 2.448 sigma: a circle that holds 95 % of a round two-axis normal error
BOUND_95 = 1.960  # sigma: 95 % of a one-axis normal error

EPU_M = {  # by NACp: 95 % horizontal
    1: 10 * NM_M, 2: 4 * NM_M, 3: 2 * NM_M, 4: NM_M, 5: 0.5 * NM_M, 6: 0.3 * NM_M, 7: 0.1 * NM_M, 8: 0.05 * NM_M,
    9: 30.0, 10: 10.0, 11: 3.0,
}  # fmt: skip
NUCP_M = {  # by NUCp: 95 % horizontal
    1: 10 * NM_M, 2: 5 * NM_M, 3: NM_M, 4: 0.5 * NM_M, 5: 0.25 * NM_M, 6: 0.1 * NM_M, 7: 0.05 * NM_M, 8: 10.0, 9: 3.0,
}  # fmt: skip
VELOCITY_M_S = {1: 10.0, 2: 3.0, 3: 1.0, 4: 0.3}  # by NACv or NUCr: 95 % of a horizontal component
HEIGHT_M = {1: 150.0, 2: 45.0}  # by GVA: 95 % of the geometric height
NUCP_HEIGHT_M = {8: 15.0, 9: 4.0}


def horizontal_sigma_m(nac_p: int | None) -> float | None:
    """1-sigma of each horizontal axis, by NACp."""
    return None if nac_p not in EPU_M else EPU_M[nac_p] / RADIUS_95


def horizontal_sigma_of_nuc_m(nuc_p: int | None) -> float | None:
    """1-sigma of each horizontal axis, by NUCp of a version 0 transponder."""
    return None if nuc_p not in NUCP_M else NUCP_M[nuc_p] / RADIUS_95


def speed_sigma_m_s(nac_v: int | None) -> float | None:
    """1-sigma of each horizontal velocity component."""
    return None if nac_v not in VELOCITY_M_S else VELOCITY_M_S[nac_v] / BOUND_95


def vertical_sigma_m(gva: int | None) -> float | None:
    """1-sigma of the geometric height, by GVA."""
    return None if gva not in HEIGHT_M else HEIGHT_M[gva] / BOUND_95


def vertical_sigma_of_nuc_m(nuc_p: int | None) -> float | None:
    """1-sigma of the geometric height, by NUCp of a version 0 transponder."""
    return None if nuc_p not in NUCP_HEIGHT_M else NUCP_HEIGHT_M[nuc_p] / BOUND_95
