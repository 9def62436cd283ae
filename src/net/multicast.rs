//! Multicast options of UDP sockets.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::UdpSocket;
use crate::Result;
use crate::fd::AsFd;
use crate::sys::{
    self, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_IF, IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP,
    IPV6_MULTICAST_HOPS, IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP,
};

impl UdpSocket {
    /// Joins a multicast group, on the interface that has the address `interface`. The
    /// unspecified address leaves the choice to the routing table.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: not a multicast address.
    /// - `ENODEV`: no such interface, or no route to the group.
    /// - `EADDRINUSE`: a member already.
    /// - `ENOBUFS`: the limit `/proc/sys/net/ipv4/igmp_max_memberships`.
    #[doc(alias = "IP_ADD_MEMBERSHIP")]
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> Result<()> {
        sys::setsockopt_ip_mreq(self.as_fd(), IP_ADD_MEMBERSHIP, *group, *interface)
    }

    /// Leaves a multicast group.
    ///
    /// # Errors
    ///
    /// - `EADDRNOTAVAIL`: not a member.
    /// - `ENODEV`: no such interface.
    #[doc(alias = "IP_DROP_MEMBERSHIP")]
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> Result<()> {
        sys::setsockopt_ip_mreq(self.as_fd(), IP_DROP_MEMBERSHIP, *group, *interface)
    }

    /// Joins a multicast group, on the interface with this index. Zero leaves the choice
    /// to the routing table.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: not a multicast address.
    /// - `ENODEV`: no such interface, or no route to the group.
    /// - `EADDRINUSE`: a member already.
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_ADD_MEMBERSHIP")]
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> Result<()> {
        sys::setsockopt_ipv6_mreq(self.as_fd(), IPV6_ADD_MEMBERSHIP, *group, interface)
    }

    /// Leaves a multicast group.
    ///
    /// # Errors
    ///
    /// - `EADDRNOTAVAIL`: not a member.
    /// - `ENODEV`: no such interface.
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_DROP_MEMBERSHIP")]
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> Result<()> {
        sys::setsockopt_ipv6_mreq(self.as_fd(), IPV6_DROP_MEMBERSHIP, *group, interface)
    }

    /// Sets whether multicast datagrams sent over IPv4 are looped back to members on this
    /// machine, as they are by default.
    #[doc(alias = "IP_MULTICAST_LOOP")]
    pub fn set_multicast_loop_v4(&self, looped: bool) -> Result<()> {
        self.set(IPPROTO_IP, IP_MULTICAST_LOOP, looped.into())
    }

    /// Returns whether multicast datagrams sent over IPv4 are looped back.
    #[doc(alias = "IP_MULTICAST_LOOP")]
    pub fn multicast_loop_v4(&self) -> Result<bool> {
        self.is_on(IPPROTO_IP, IP_MULTICAST_LOOP)
    }

    /// Sets whether multicast datagrams sent over IPv6 are looped back to members on this
    /// machine, as they are by default.
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_LOOP")]
    pub fn set_multicast_loop_v6(&self, looped: bool) -> Result<()> {
        self.set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, looped.into())
    }

    /// Returns whether multicast datagrams sent over IPv6 are looped back.
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`, `EOPNOTSUPP`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_LOOP")]
    pub fn multicast_loop_v6(&self) -> Result<bool> {
        self.is_on(IPPROTO_IPV6, IPV6_MULTICAST_LOOP)
    }

    /// Sets the time to live of multicast datagrams sent over IPv4, from 0 (this machine)
    /// to 255. The default is 1: the local network.
    ///
    /// [`set_ttl`](Self::set_ttl) does not change it.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: above 255.
    #[doc(alias = "IP_MULTICAST_TTL")]
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> Result<()> {
        let ttl = ttl.try_into().unwrap_or(i32::MAX);
        self.set(IPPROTO_IP, IP_MULTICAST_TTL, ttl)
    }

    /// Returns the time to live of multicast datagrams sent over IPv4.
    #[doc(alias = "IP_MULTICAST_TTL")]
    pub fn multicast_ttl_v4(&self) -> Result<u32> {
        Ok(self.get(IPPROTO_IP, IP_MULTICAST_TTL)?.unsigned_abs())
    }

    /// Sets the hop limit of multicast datagrams sent over IPv6, from 0 (this machine) to
    /// 255. The default is 1: the local network.
    ///
    /// A datagram that a dual-stack socket sends to an IPv4-mapped group obeys
    /// [`set_multicast_ttl_v4`](Self::set_multicast_ttl_v4) instead.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: above 255.
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_HOPS")]
    pub fn set_multicast_hops_v6(&self, hops: u32) -> Result<()> {
        let hops = hops.try_into().unwrap_or(i32::MAX);
        self.set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops)
    }

    /// Returns the hop limit of multicast datagrams sent over IPv6.
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`, `EOPNOTSUPP`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_HOPS")]
    pub fn multicast_hops_v6(&self) -> Result<u32> {
        Ok(self.get(IPPROTO_IPV6, IPV6_MULTICAST_HOPS)?.unsigned_abs())
    }

    /// Sets the interface that multicast datagrams leave by over IPv4, by an address of
    /// it. The unspecified address leaves the choice to the routing table, as by default.
    ///
    /// # Errors
    ///
    /// - `EADDRNOTAVAIL`: no interface of this machine has that address.
    #[doc(alias = "IP_MULTICAST_IF")]
    pub fn set_multicast_if_v4(&self, interface: &Ipv4Addr) -> Result<()> {
        // The `struct in_addr` that the option takes is four bytes, as an `int` is.
        let address = i32::from_ne_bytes(interface.octets());
        self.set(IPPROTO_IP, IP_MULTICAST_IF, address)
    }

    /// Returns the address that [`set_multicast_if_v4`](Self::set_multicast_if_v4) has
    /// set, or the unspecified address.
    #[doc(alias = "IP_MULTICAST_IF")]
    pub fn multicast_if_v4(&self) -> Result<Ipv4Addr> {
        let address = self.get(IPPROTO_IP, IP_MULTICAST_IF)?;
        Ok(address.to_ne_bytes().into())
    }

    /// Sets the interface that multicast datagrams leave by over IPv6, by its index. Zero
    /// leaves the choice to the routing table, as by default.
    ///
    /// # Errors
    ///
    /// - `ENODEV`: no such interface.
    /// - `EINVAL`: the socket is bound to another interface.
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_IF")]
    pub fn set_multicast_if_v6(&self, interface: u32) -> Result<()> {
        let index = interface.try_into().unwrap_or(i32::MAX);
        self.set(IPPROTO_IPV6, IPV6_MULTICAST_IF, index)
    }

    /// Returns the index that [`set_multicast_if_v6`](Self::set_multicast_if_v6) has set,
    /// or zero.
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`, `EOPNOTSUPP`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_IF")]
    pub fn multicast_if_v6(&self) -> Result<u32> {
        Ok(self.get(IPPROTO_IPV6, IPV6_MULTICAST_IF)?.unsigned_abs())
    }
}
