/*
 * Pictures of the heap, for people. With the lock held; written straight to a file descriptor.
 *
 * As text: the policy, each region with its blocks in the order of addresses (offset in the region,
 * size of the whole block, used or free), the large blocks, and the free lists in their order, a
 * block named by region and offset.
 *
 *     first-fit: 1 region, 65536 bytes held, 1 block used, 1 free
 *     region 1: 65536 bytes from brk at 0x5581e2f1a000
 *            40       64  used
 *           104    65424  free
 *     free list: 1+104 (65424)
 *
 * As SVG: regions as bands of rows, a used block dark, a free one light, with its size as a
 * tooltip.
 */
#ifndef TEXTBOOK_PICTURE_H
#define TEXTBOOK_PICTURE_H

#include "policy.h"

void picture_text(int file, const struct policy *policy);
void picture_svg(int file, const struct policy *policy);

#endif
